"""Column files in the CoNLL style: one token per line, its tag in the last column, a blank line between sentences."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from harness.errors import DataFormatError
from harness.utils.text_files import numbered_lines


@dataclass(frozen=True, kw_only=True)
class ColumnSentence:
    """One sentence of a column file.

    Args:
        tokens: The first column.
        tags: The last column, one tag per token.
        line: The 1-based line of the first token. The tokens of a sentence are on consecutive lines.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    line: int


def read_columns(path: Path | str) -> list[ColumnSentence]:
    """Read a column file line by line.

    If the first line with content has a tab, tabs separate the columns, and a token may contain spaces. Otherwise
    spaces separate them. ``-DOCSTART-`` lines are not sentences. Only a line feed ends a line, because tokens from the
    web contain other characters that Python takes for line ends.

    Args:
        path: A UTF-8 file, plain or ``.gz``, with 2 to 4 columns: the token first, the tag last.

    Returns:
        The sentences in file order; at least one.

    Raises:
        DataFormatError: The file is missing, unreadable, empty or not in this format.

    Source:
        Tjong Kim Sang and De Meulder (2003), section 2.2. In WNUT-17, a line with only a tab ends a sentence.
    """
    path = Path(path)
    sentences = []
    for is_sentence, group in groupby(_rows(path), key=lambda row: bool(row[1])):
        if is_sentence:
            rows = list(group)
            tokens = tuple(sys.intern(columns[0]) for _, columns in rows)  # equal words are one object in memory
            tags = tuple(sys.intern(columns[-1]) for _, columns in rows)
            sentences.append(ColumnSentence(tokens=tokens, tags=tags, line=rows[0][0]))
    if not sentences:
        raise DataFormatError(f"{path}: no sentences in it; give a file with one token and its tag on each line")
    return sentences


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the columns of each line; a line between two sentences has no columns."""
    separator, width, first = "", 0, 0
    for number, text in numbered_lines(path):
        words = text.replace("\t", " ").split(" ")
        if not any(words) or words[0] == "-DOCSTART-":
            yield number, []
            continue
        separator = separator or ("\t" if "\t" in text else " ")
        columns = [column.strip(" ") for column in text.split(separator)]
        if separator == " ":
            columns = [column for column in columns if column]  # aligned files have several spaces between columns
        width, first = width or len(columns), first or number
        _check_columns(columns, width, where=f"{path}:{number}", first=first)
        yield number, columns


def _check_columns(columns: list[str], width: int, *, where: str, first: int) -> None:
    """Raise an error unless a line has a token, a tag, and as many columns as the first line."""
    if not 2 <= width <= 4:
        raise DataFormatError(
            f"{where}: {width} column(s); give 2 to 4, separated by tabs or spaces, the token first, the tag last"
        )
    if len(columns) != width:
        raise DataFormatError(
            f"{where}: {len(columns)} column(s) where line {first} has {width}; "
            "give every line the same number of columns and the same separator"
        )
    for name, column in (("token", columns[0]), ("tag", columns[-1])):
        if not column:
            raise DataFormatError(
                f"{where}: the {name} is empty; fill it in, or leave the line blank to end a sentence"
            )
