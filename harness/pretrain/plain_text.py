"""The text of published data sets, without labels, as text to pre-train a biLM on."""

import gzip
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DataFormatError, nearest
from harness.utils.files import replacing
from harness.utils.text_files import json_value, numbered_lines
from harness.utils.treebank import unescaped


def plain(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text file. Each line is a paragraph."""
    yield from lines


def squad(lines: Iterable[str]) -> Iterator[str]:
    """Yield the passages of SQuAD's JSON."""
    for article in json_value("\n".join(lines))["data"]:
        for paragraph in article["paragraphs"]:
            yield paragraph["context"]


def snli(lines: Iterable[str]) -> Iterator[str]:
    """Yield each different premise and hypothesis of SNLI's jsonl, in order of first occurrence."""
    return iter(dict.fromkeys(row[side] for row in _json_rows(lines) for side in ("sentence1", "sentence2")))


def conllu(lines: Iterable[str]) -> Iterator[str]:
    """Yield the raw sentences of a CoNLL-U file. Each must have its text, because it would be lost without a word."""
    start = "# text = "
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        rows = [] if blank else list(group)
        texts = [row[len(start) :] for row in rows if row.startswith(start)]
        if not texts and not all(row.startswith("#") for row in rows):
            raise ValueError(f"a sentence has no line '{start}'")
        yield from texts


def books(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of books. Each line is one book, a JSON object with ``text``.

    If a text has blank lines, they separate the paragraphs. If not, each line is a paragraph.
    """
    for book in _json_rows(lines):
        text: str = book["text"].replace("\r\n", "\n")
        yield from text.split("\n\n") if "\n\n" in text else text.split("\n")


def wikitext(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of WikiText without headings, with its tokenisation undone where spaCy's differs."""
    for line in lines:
        if line.strip() and not line.startswith(" = "):
            text = re.sub(r" @([-,.])@ ", r"\1", line)
            yield re.sub(r" (['’](?:s|t|re|ve|ll|d|m)\b)", r"\1", text)


def columns(lines: Iterable[str]) -> Iterator[str]:
    """Yield the sentences of a column file: the first column of its lines, up to a blank line or another document."""
    for between, group in groupby(lines, key=lambda line: line.split()[:1] in ([], ["-DOCSTART-"])):
        if not between:
            yield " ".join(line.split()[0] for line in group)


def semcor(lines: Iterable[str]) -> Iterator[str]:
    """Yield the tokenised sentences of SemCor's jsonl, with multiword tokens split into words."""
    for sentence in _json_rows(lines):
        words = " ".join(token[0] for token in sentence["tokens"])
        yield words.replace("_", " ").replace("``", '"').replace("''", '"')


def trees(lines: Iterable[str]) -> Iterator[str]:
    """Yield the tokenised sentences of bracketed trees, one per line, as in SST: their leaves, without escapes."""
    for line in filter(str.strip, lines):
        leaves = re.findall(r"\([ \t]*[^() \t]+[ \t]+([^() \t]+)[ \t]*\)", line)
        if not leaves:
            raise ValueError("there is no tree")
        yield " ".join(map(unescaped, leaves))


def _json_rows(lines: Iterable[str]) -> Iterator[Any]:
    """Yield the value of each line that is not blank."""
    return (json_value(line) for line in lines if line.strip())


_GAP = 50  # paragraphs between the training text and the held-out text, because documents are not marked
FORMATS = {form.__name__: form for form in (plain, squad, snli, conllu, books, wikitext, semcor, columns, trees)}


def write_plain_text(
    source: Path,
    target: Path,
    *,
    form: str,
    only: str = "",
    without: str = "",
    held_out: Path | None = None,
    max_words: int | None = None,
) -> int:
    """Write the text of a data set, one paragraph per line.

    Args:
        source: The published file, plain or ``.gz``.
        target: The file to write, plain or ``.gz``. The same text gives the same bytes.
        form: The format of ``source``, a key of ``FORMATS``.
        only: The id of the only book to write.
        without: The id of a book to leave out.
        held_out: A file that gets the last hundredth of the paragraphs, for evaluation. The 50 paragraphs before
            them are in neither file, which keeps one document from being in both.
        max_words: The text ends after the paragraph that reaches this number of words, separated by spaces.

    Returns:
        The number of paragraphs in ``target``.

    Raises:
        ConfigError: A book is named for another format, or no book has this id.
        DataFormatError: The file is missing, damaged, not of this format, or has too little text.
    """
    if (only or without) and form != "books":
        raise ConfigError(f"--only and --without name a book, but a file of the form '{form}' has no books")
    if not source.is_file():
        raise DataFormatError(f"{source}: no such file")
    paragraphs = _paragraphs(source, form, only, without, max_words)
    if held_out is None:
        return write_lines(target, paragraphs)
    everything = list(paragraphs)
    cut = len(everything) - len(everything) // 100
    if cut <= _GAP:
        raise DataFormatError(f"{source}: too short to hold out a part of it; leave out --held-out")
    write_lines(held_out, everything[cut:])
    return write_lines(target, everything[: cut - _GAP])


def _paragraphs(source: Path, form: str, only: str, without: str, max_words: int | None) -> Iterator[str]:
    """Yield the paragraphs of a file that are not blank, each on one line, until they have ``max_words`` words."""
    number = count = 0
    has_letter = False

    def lines() -> Iterator[str]:
        nonlocal number
        for number, line in numbered_lines(source):  # noqa: B007 - the number is for the error message
            yield line

    try:
        for paragraph in FORMATS[form](_chosen(lines(), only, without) if only or without else lines()):
            if words := paragraph.split():
                yield " ".join(words)
                count += len(words)
                has_letter = has_letter or any(map(str.isalpha, paragraph))
                if max_words is not None and count >= max_words:
                    break
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise DataFormatError(f"{source}:{number}: not readable as '{form}' ({reason}); download it again") from None
    if not has_letter:
        raise DataFormatError(f"{source}: no text in it as '{form}'; name the format that it has")


def _chosen(lines: Iterable[str], only: str, without: str) -> Iterator[str]:
    """Yield the books to read. An unknown id is an error, because the book would not be held out."""
    seen: set[str] = set()
    for line in filter(str.strip, lines):
        book = json_value(line)["id"]
        seen.add(book)
        if book != without and only in ("", book):
            yield line
    for wanted in filter(None, (only, without)):
        if wanted not in seen:
            raise ConfigError(f"no book '{wanted}'{nearest(wanted, seen)}")


def write_lines(target: Path, lines: Iterable[str]) -> int:
    """Write a text file, whole or not at all; return the number of lines.

    Args:
        target: The file to write, plain or ``.gz``. The same lines give the same bytes.
        lines: The lines without their ends.
    """
    count = 0
    with (
        replacing(target) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if target.suffix == ".gz" else raw as out,
    ):
        for line in lines:
            out.write(f"{line}\n".encode())
            count += 1
    return count
