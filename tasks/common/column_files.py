"""Column files in the CoNLL style: one token per line, its tag in the last column, a blank line between sentences."""

import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from harness.errors import ConfigError, DataFormatError
from harness.types import Sentence
from harness.utils.text_files import is_comment, numbered_lines, tab_columns

log = logging.getLogger(__name__)

Columns = tuple[int, int]  # of the token and of its tag, counted from 1, or from -1 at the end
_TOKEN_FIRST_TAG_LAST: Columns = (1, -1)
_OPTION = "set data.columns=[WORD,TAG], the numbers of these columns (1 is the first, -1 the last)"


@dataclass(frozen=True, kw_only=True)
class ColumnSentence:
    """One sentence of a column file.

    Args:
        tokens: The tokens.
        tags: One tag per token; empty if the tags are not read.
        line: The 1-based line of the first token. The tokens of a sentence are on consecutive lines.
        on_one_line: Whether all tokens are on this line, as in JSON lines.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    line: int
    on_one_line: bool = False

    def place(self, position: int) -> str:
        """Return the line of the token at a 0-based position, and its number in the line if it has several."""
        return f"{self.line}, token {position + 1}" if self.on_one_line else str(self.line + position)


def read_columns(path: Path | str, columns: Columns | None = None, *, labelled: bool = True) -> list[ColumnSentence]:
    """Read a column file line by line.

    If the first line with content has a tab, tabs separate the columns, and a token may contain spaces. Otherwise
    spaces separate them. Only a line feed ends a line, because tokens from the web contain other characters that
    Python takes for line ends. ``-DOCSTART-`` lines and comments (see ``is_comment``) are not sentences.

    Args:
        path: A UTF-8 file, plain or ``.gz``.
        columns: The number of the token's column and of the tag's; a file may then have any number of columns. None
            for a file with 2 to 4 columns: the token first, the tag last.
        labelled: Whether to read the tags. If not, a file may have a column of tokens only.

    Returns:
        The sentences in file order; at least one.

    Raises:
        ConfigError: A column has the number 0, or the file does not have such a column.
        DataFormatError: The file is missing, unreadable, empty or not in this format, or its tokens are not words.

    Source:
        Tjong Kim Sang and De Meulder (2003), section 2.2. In WNUT-17, a line with only a tab ends a sentence.
    """
    path = Path(path)
    sentences = []
    for is_sentence, group in groupby(_rows(path, columns, labelled=labelled), key=lambda row: bool(row[1])):
        if is_sentence:
            rows = list(group)
            tokens = tuple(sys.intern(row[0]) for _, row in rows)  # equal words are one object in memory
            tags = tuple(sys.intern(row[1]) for _, row in rows) if labelled else ()
            sentences.append(ColumnSentence(tokens=tokens, tags=tags, line=rows[0][0]))
    if not sentences:
        raise DataFormatError(f"{path}: no sentences in it; give a file with one token and its tag on each line")
    check_words((sentence.tokens for sentence in sentences), where=str(path), fix=_OPTION)
    return sentences


def check_words(sentences: Iterable[Sentence], *, where: str, fix: str) -> None:
    """Raise an error if the tokens of a file are not words, because then another column holds the words.

    That is so if no token has a letter, or if all tokens of a sentence are ``_``, which stands for a word in treebanks
    that are published without their text.

    Args:
        sentences: The tokens of all sentences, at least one.
        where: The name of the file.
        fix: What the user should do; it ends the error message.

    Raises:
        DataFormatError: The tokens are not words.
    """
    first: Sentence = ()
    has_letter = False
    for sentence in sentences:
        first = first or sentence
        if len(sentence) > 1 and all(token == "_" for token in sentence):
            raise DataFormatError(f"{where}: all {len(sentence)} words of a sentence are '_'; {fix}")
        has_letter = has_letter or any(char.isalpha() for token in sentence for char in token)
    if not has_letter:
        shown = ", ".join(first[:3])
        raise DataFormatError(f"{where}: none of its words has a letter (the first are: {shown}); {fix}")


@dataclass(frozen=True)
class _Layout:
    """The columns of a file, which its first line with content shows.

    Attributes:
        separator: The character between columns.
        width: The number of columns.
        line: The number of the line that shows them.
    """

    separator: str
    width: int
    line: int

    def split(self, text: str) -> list[str]:
        """Return the columns of a line. White space at the end of a line does not start another column."""
        if self.separator == "\t":
            return [column.strip(" ") for column in tab_columns(text, self.width)]
        return [column for column in text.split(" ") if column]  # aligned files have several spaces


def _rows(path: Path, columns: Columns | None, *, labelled: bool) -> Iterator[tuple[int, Sentence]]:
    """Yield the number, the token and the tag of each line; a line between two sentences has neither."""
    layout = _layout(path)
    if layout is None:
        return
    token, tag = _indices(columns, layout, path, labelled=labelled)
    like_tag = tag if labelled else _index((columns or _TOKEN_FIRST_TAG_LAST)[1], layout)  # it tells "#" from a comment
    comments, inside = 0, False
    for number, text in numbered_lines(path):
        found = layout.split(text)
        if _is_between(text):
            inside = False
        elif not inside and is_comment(text, found, width=layout.width, tag=like_tag):
            comments += 1
        else:
            inside = True
            _check_columns(found, layout, token, tag, where=f"{path}:{number}")
            yield number, (found[token], found[tag].strip())
            continue
        yield number, ()
    if comments:
        log.info("%s: left out %s comments", path.name, f"{comments:,}")


def _layout(path: Path) -> _Layout | None:
    """Return the columns of a file; None if it has no line with content."""
    for number, text in numbered_lines(path):
        if not _is_between(text) and not text.startswith("#"):
            separator = "\t" if "\t" in text.rstrip() else " "
            return _Layout(separator, len(_Layout(separator, 0, number).split(text)), number)
    return None


def _is_between(text: str) -> bool:
    """Return whether a line is blank, or begins a document; then it has no token."""
    words = text.replace("\t", " ").split(" ")
    return not any(words) or words[0] == "-DOCSTART-"


def _indices(columns: Columns | None, layout: _Layout, path: Path, *, labelled: bool) -> tuple[int, int]:
    """Return the indices of the token and of the tag, counted from 0; twice that of the token without tags."""
    where, width = f"{path}:{layout.line}", layout.width
    if not labelled:
        columns = (columns or _TOKEN_FIRST_TAG_LAST)[:1] * 2
    if columns is None and not 2 <= width <= 4:
        raise DataFormatError(
            f"{where}: {width} column(s); give 2 to 4, separated by tabs or spaces, the token first, the tag last, "
            f"or {_OPTION}"
        )
    for number in columns or ():
        if not 1 <= abs(number) <= width:
            raise ConfigError(f"data.columns has {number}, but {where} has {width} column(s); {_OPTION}")
    token, tag = (_index(number, layout) for number in columns or _TOKEN_FIRST_TAG_LAST)
    if token == tag and labelled:
        raise ConfigError(f"data.columns: column {token + 1} of {where} cannot be both word and tag; {_OPTION}")
    return token, tag


def _index(number: int, layout: _Layout) -> int:
    """Return the index of a column, counted from 0, from its number; of the last one if there are fewer."""
    return min(number - 1, layout.width - 1) if number > 0 else max(number + layout.width, 0)


def _check_columns(found: list[str], layout: _Layout, token: int, tag: int, *, where: str) -> None:
    """Raise an error unless a line has a token, a tag, and as many columns as the first line."""
    if len(found) != layout.width:
        raise DataFormatError(
            f"{where}: {len(found)} column(s) where line {layout.line} has {layout.width}; "
            "give every line the same number of columns and the same separator"
        )
    for name, column in (("token", found[token]), ("tag", found[tag].strip())):
        if not column:
            raise DataFormatError(
                f"{where}: the {name} is empty; fill it in, or leave the line blank to end a sentence"
            )
