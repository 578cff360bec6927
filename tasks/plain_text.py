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
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError, HarnessError
from harness.files import replacing


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


def columns(lines: Iterable[str]) -> Iterator[str]:
    """Yield the sentences of a column file, tokenised: the first column of the lines between blank ones."""
    words: list[str] = []
    for line in (*lines, ""):
        if line.strip():
            words.append(line.split()[0])
        elif words:
            yield " ".join(words)
            words = []


FORMATS: dict[str, Callable[[Iterable[str]], Iterator[str]]] = {
    "squad": squad,
    "snli": snli,
    "conllu": conllu,
    "books": books,
    "wikitext": wikitext,
    "semcor": semcor,
    "columns": columns,
}


def write_plain_text(source: Path, target: Path, *, form: str, keep: Callable[[str], bool] = bool) -> int:
    """Write the text of a data set, one paragraph a line.

    Args:
        source: the published file, plain or ``.gz``.
        target: where the text goes, plain or ``.gz``; the same text gives the same bytes.
        form: a key of ``FORMATS``.
        keep: which lines of ``source`` are read.

    Returns:
        the number of paragraphs.

    Raises:
        DataFormatError: the file is missing, damaged, or not of this form.
    """
    count = 0
    opened = gzip.open if source.suffix == ".gz" else open
    try:
        with (
            replacing(target) as temporary,
            opened(source, "rt", encoding="utf-8") as lines,
            temporary.open("wb") as raw,
        ):
            out: Any = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if target.suffix == ".gz" else raw
            for paragraph in FORMATS[form](line for line in lines if keep(line)):
                words = paragraph.split()
                if words:
                    out.write(" ".join(words).encode() + b"\n")
                    count += 1
            if out is not raw:
                out.close()
    except FileNotFoundError:
        raise DataFormatError(f"{source}: no such file") from None
    except (KeyError, TypeError, ValueError, EOFError, gzip.BadGzipFile) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataFormatError(f"{source}: not readable as '{form}' ({reason}); fetch it again") from None
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tasks.plain_text", description=__doc__.split("\n")[0])
    parser.add_argument("form", choices=sorted(FORMATS), help="what SOURCE is")
    parser.add_argument("source", type=Path, help="the published file, plain or .gz")
    parser.add_argument("target", type=Path, help="where the text goes, plain or .gz")
    parser.add_argument("--only", metavar="ID", help="books: this one alone")
    parser.add_argument("--without", metavar="ID", help="books: all but this one, to hold it out")
    chosen = parser.parse_args(arguments)

    def keep(line: str) -> bool:
        if chosen.only is None and chosen.without is None:
            return True
        book = json.loads(line).get("id")
        return book != chosen.without and chosen.only in (None, book)

    try:
        count = write_plain_text(chosen.source, chosen.target, form=chosen.form, keep=keep)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_status
    print(f"{chosen.target}: {count:,} paragraphs")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
