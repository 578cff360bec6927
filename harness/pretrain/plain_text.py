"""The text of published data sets, without labels: what a biLM can be pre-trained on.

    python -m harness.pretrain.plain_text squad train-v1.1.json.gz squad.txt.gz

writes one paragraph of raw text a line, for ``python -m harness.pretrain text.tokenize=true`` (``semcor``,
``columns``: one tokenised sentence a line).
"""

import argparse
import gzip
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DataFormatError, nearest
from harness.utils.console import exit_status_of
from harness.utils.files import replacing


def plain(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text file, a paragraph each."""
    yield from lines


def squad(lines: Iterable[str]) -> Iterator[str]:
    """Yield the contexts of SQuAD's JSON."""
    for article in json.loads("".join(lines))["data"]:
        for paragraph in article["paragraphs"]:
            yield paragraph["context"]


def snli(lines: Iterable[str]) -> Iterator[str]:
    """Yield every different premise and hypothesis of SNLI's jsonl, at its first occurrence."""
    rows = (json.loads(line) for line in lines if line.strip())
    return iter(dict.fromkeys(row[side] for row in rows for side in ("sentence1", "sentence2")))


def conllu(lines: Iterable[str]) -> Iterator[str]:
    """Yield the raw sentences of a CoNLL-U file."""
    start = "# text = "
    return (line[len(start) :] for line in lines if line.startswith(start))


def books(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of books, a JSON object with ``text`` a line.

    Where a text has blank lines, they separate paragraphs and other line ends are mere typesetting; where
    it has none, each line is a paragraph.
    """
    for line in lines:
        text: str = json.loads(line)["text"].replace("\r\n", "\n")
        yield from text.split("\n\n") if "\n\n" in text else text.split("\n")


def wikitext(lines: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs of WikiText without headings, its tokenisation undone where spaCy's differs."""
    for line in lines:
        if line.strip() and not line.startswith(" = "):
            text = re.sub(r" @([-,.])@ ", r"\1", line)
            yield re.sub(r" (['’](?:s|t|re|ve|ll|d|m)\b)", r"\1", text)


def columns(lines: Iterable[str]) -> Iterator[str]:
    """Yield the sentences of a column file: the first column of its lines, up to the next blank line."""
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        words = [] if blank else [line.split()[0] for line in group]
        if words and words[0] != "-DOCSTART-":
            yield " ".join(words)


def semcor(lines: Iterable[str]) -> Iterator[str]:
    """Yield the sentences of SemCor's jsonl, tokenised; multiword tokens are taken apart."""
    for line in lines:
        words = " ".join(token[0] for token in json.loads(line)["tokens"])
        yield words.replace("_", " ").replace("``", '"').replace("''", '"')


_GAP = 50  # paragraphs between the text to train on and the held-out text: documents are not marked
FORMATS: dict[str, Callable[[Iterable[str]], Iterator[str]]] = {
    "plain": plain,
    "squad": squad,
    "snli": snli,
    "conllu": conllu,
    "books": books,
    "wikitext": wikitext,
    "semcor": semcor,
    "columns": columns,
}


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
    """Write the text of a data set, one paragraph a line.

    Args:
        source: the published file, plain or ``.gz``.
        target: where the text goes, plain or ``.gz``; the same text gives the same bytes.
        form: a key of ``FORMATS``.
        only: the id of the one book to write.
        without: the id of a book to leave out.
        held_out: where the last hundredth of the paragraphs goes instead, for evaluation. The ``_GAP`` paragraphs
            before it are in neither file, so that no document is in both.
        max_words: the text is cut after the paragraph that reaches this many words, separated by spaces.

    Returns:
        the number of paragraphs in ``target``.

    Raises:
        ConfigError: a book is named for another form, or there is none of that id.
        DataFormatError: the file is missing, damaged, not of this form, or holds no text.
    """
    if (only or without) and form != "books":
        raise ConfigError(f"--only and --without name a book; a file of the form '{form}' has none")
    try:
        paragraphs = _limited(filter(str.strip, _paragraphs(source, form, only, without)), max_words)
        if held_out is not None:
            everything = list(paragraphs)
            cut = len(everything) - len(everything) // 100
            _write(held_out, everything[cut:])
            paragraphs = iter(everything[: max(0, cut - _GAP)])
        first = next(paragraphs, None)
        if first is None:
            raise DataFormatError(f"{source}: no text in it as '{form}'; name the form that it has")
        count = _write(target, chain([first], paragraphs))
    except FileNotFoundError:
        raise DataFormatError(f"{source}: no such file") from None
    except (KeyError, TypeError, ValueError, AttributeError, EOFError, zlib.error, OSError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise DataFormatError(f"{source}: not readable as '{form}' ({reason}); fetch it again") from None
    return count


def _paragraphs(source: Path, form: str, only: str, without: str) -> Iterator[str]:
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8") as lines:
        yield from FORMATS[form](_chosen(lines, only, without) if only or without else lines)


def _chosen(lines: Iterable[str], only: str, without: str) -> Iterator[str]:
    """Yield the books to read; an id that never comes is an error, or a book would not be held out."""
    seen: set[str] = set()
    for line in lines:
        book = json.loads(line)["id"]
        seen.add(book)
        if book != without and only in ("", book):
            yield line
    for wanted in filter(None, (only, without)):
        if wanted not in seen:
            raise ConfigError(f"no book '{wanted}'{nearest(wanted, seen)}")


def _limited(paragraphs: Iterable[str], max_words: int | None) -> Iterator[str]:
    """Yield paragraphs until they have ``max_words`` words."""
    count = 0
    for paragraph in paragraphs:
        yield paragraph
        count += len(paragraph.split())
        if max_words is not None and count >= max_words:
            return


def _write(target: Path, paragraphs: Iterable[str]) -> int:
    """Write a paragraph a line; return their number."""
    count = 0
    with replacing(target) as temporary, temporary.open("wb") as raw:
        out: Any = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if target.suffix == ".gz" else raw
        for paragraph in paragraphs:
            out.write(" ".join(paragraph.split()).encode() + b"\n")
            count += 1
        if out is not raw:
            out.close()
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.pretrain.plain_text", description="The text of a published data set, without labels."
    )
    parser.add_argument("form", choices=sorted(FORMATS), help="what SOURCE is")
    parser.add_argument("source", type=Path, help="the published file, plain or .gz")
    parser.add_argument("target", type=Path, help="where the text goes, plain or .gz")
    parser.add_argument("--only", metavar="ID", default="", help="books: this one alone")
    parser.add_argument("--without", metavar="ID", default="", help="books: all but this one, to hold it out")
    parser.add_argument("--held-out", type=Path, metavar="FILE", help="write the last hundredth of the text here")
    parser.add_argument("--max-words", type=int, metavar="N", help="cut the text after N words")
    chosen = parser.parse_args(arguments)

    def run() -> None:
        count = write_plain_text(
            chosen.source,
            chosen.target,
            form=chosen.form,
            only=chosen.only,
            without=chosen.without,
            held_out=chosen.held_out,
            max_words=chosen.max_words,
        )
        print(f"{chosen.target}: {count:,} paragraphs")  # noqa: T201

    return exit_status_of(run)


if __name__ == "__main__":
    sys.exit(main())
