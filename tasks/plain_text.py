"""The text of published data sets, without labels: what a biLM can be pre-trained on.

    python -m tasks.plain_text squad train-v1.1.json.gz squad.txt.gz

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
from pathlib import Path
from typing import Any

from harness.console import exit_status_of
from harness.errors import ConfigError, DataFormatError, nearest
from harness.files import replacing
from tasks.column_files import read_columns


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


def semcor(lines: Iterable[str]) -> Iterator[str]:
    """Yield the sentences of SemCor's jsonl, tokenised; multiword tokens are taken apart."""
    for line in lines:
        words = " ".join(token[0] for token in json.loads(line)["tokens"])
        yield words.replace("_", " ").replace("``", '"').replace("''", '"')


FORMATS: dict[str, Callable[[Iterable[str]], Iterator[str]]] = {
    "squad": squad,
    "snli": snli,
    "conllu": conllu,
    "books": books,
    "wikitext": wikitext,
    "semcor": semcor,
}


def write_plain_text(source: Path, target: Path, *, form: str, only: str = "", without: str = "") -> int:
    """Write the text of a data set, one paragraph a line.

    Args:
        source: the published file, plain or ``.gz``.
        target: where the text goes, plain or ``.gz``; the same text gives the same bytes.
        form: a key of ``FORMATS``, or ``columns`` for a column file.
        only: the id of the one book to write.
        without: the id of a book to leave out.

    Returns:
        the number of paragraphs.

    Raises:
        ConfigError: a book is named for another form, or there is none of that id.
        DataFormatError: the file is missing, damaged, not of this form, or holds no text.
    """
    if (only or without) and form != "books":
        raise ConfigError(f"--only and --without name a book; a file of the form '{form}' has none")
    try:
        with replacing(target) as temporary:
            with temporary.open("wb") as raw:
                out: Any = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if target.suffix == ".gz" else raw
                count = sum(_write(out, paragraph) for paragraph in _paragraphs(source, form, only, without))
                if out is not raw:
                    out.close()
            if not count:
                raise DataFormatError(f"{source}: no text in it as '{form}'; name the form that it has")
    except FileNotFoundError:
        raise DataFormatError(f"{source}: no such file") from None
    except (KeyError, TypeError, ValueError, AttributeError, EOFError, zlib.error, OSError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise DataFormatError(f"{source}: not readable as '{form}' ({reason}); fetch it again") from None
    return count


def _paragraphs(source: Path, form: str, only: str, without: str) -> Iterator[str]:
    if form == "columns":
        yield from (" ".join(sentence.tokens) for sentence in read_columns(source))
        return
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


def _write(out: Any, paragraph: str) -> bool:
    """Write a paragraph unless it is empty; return whether it was."""
    words = paragraph.split()
    if words:
        out.write(" ".join(words).encode() + b"\n")
    return bool(words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.plain_text", description="The text of a published data set, without labels."
    )
    parser.add_argument("form", choices=sorted([*FORMATS, "columns"]), help="what SOURCE is")
    parser.add_argument("source", type=Path, help="the published file, plain or .gz")
    parser.add_argument("target", type=Path, help="where the text goes, plain or .gz")
    parser.add_argument("--only", metavar="ID", default="", help="books: this one alone")
    parser.add_argument("--without", metavar="ID", default="", help="books: all but this one, to hold it out")
    chosen = parser.parse_args(arguments)

    def run() -> None:
        count = write_plain_text(
            chosen.source, chosen.target, form=chosen.form, only=chosen.only, without=chosen.without
        )
        print(f"{chosen.target}: {count:,} paragraphs")  # noqa: T201

    return exit_status_of(run)


if __name__ == "__main__":
    sys.exit(main())
