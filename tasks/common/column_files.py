"""Column files in the CoNLL style: one token a line, the tag in the last column, a blank line between
sentences."""

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

    Attributes:
        tokens: the first column.
        tags: the last column, one a token.
        line: 1-based line of the first token; a sentence's tokens stand on consecutive lines.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    line: int

    def line_of(self, index: int) -> int:
        """Return the 1-based line of the token at ``index``."""
        return self.line + index


def read_columns(path: Path | str) -> list[ColumnSentence]:
    """Read a column file, plain or ``.gz``, line by line.

    Columns are separated by tabs where the first content line has a tab, else by spaces; a token of a
    tab-separated file may hold spaces. ``-DOCSTART-`` lines are not sentences. Only a line feed ends a
    line: tokens from the web hold other characters that Python would take for line ends.

    Args:
        path: a UTF-8 file of 2 to 4 columns: the token first, the tag last.

    Returns:
        The sentences, in file order; at least one.

    Raises:
        DataFormatError: the file is missing, unreadable, empty or not of this format.

    Source:
        Tjong Kim Sang and De Meulder (2003), section 2.2. WNUT-17 ends a sentence by a lone tab.
    """
    path = Path(path)
    sentences = []
    for is_sentence, group in groupby(_rows(path), key=lambda row: bool(row[1])):
        if is_sentence:
            rows = list(group)
            tokens = tuple(sys.intern(columns[0]) for _, columns in rows)  # each word is held once
            tags = tuple(sys.intern(columns[-1]) for _, columns in rows)
            sentences.append(ColumnSentence(tokens=tokens, tags=tags, line=rows[0][0]))
    if not sentences:
        raise DataFormatError(f"{path}: no sentences in it; give a file with one token and its tag a line")
    return sentences


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the columns of each line; no columns where a line parts two sentences."""
    separator, width, first = "", 0, 0
    for number, text in numbered_lines(path):
        words = text.replace("\t", " ").split(" ")
        if not any(words) or words[0] == "-DOCSTART-":
            yield number, []
            continue
        separator = separator or ("\t" if "\t" in text else " ")
        columns = [column.strip(" ") for column in text.split(separator)]
        if separator == " ":
            columns = [column for column in columns if column]  # aligned files pad with spaces
        width, first = width or len(columns), first or number
        _check_columns(columns, width, where=f"{path}:{number}", first=first)
        yield number, columns


def _check_columns(columns: list[str], width: int, *, where: str, first: int) -> None:
    """Refuse a line that does not have a token, a tag and as many columns as the first line."""
    if not 2 <= width <= 4:
        raise DataFormatError(
            f"{where}: {width} column(s); give 2 to 4, parted by tab or space, the token first, the tag last"
        )
    if len(columns) != width:
        raise DataFormatError(
            f"{where}: {len(columns)} column(s) where line {first} has {width}; "
            "give every line the same columns and the same separator"
        )
    for name, column in (("token", columns[0]), ("tag", columns[-1])):
        if not column:
            raise DataFormatError(
                f"{where}: the {name} is empty; fill it in, or leave the line blank to end a sentence"
            )
