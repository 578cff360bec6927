"""CoNLL-U files: one word per line in ten columns."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from harness.errors import DataFormatError
from harness.utils.text_files import numbered_lines, tab_columns

log = logging.getLogger(__name__)

Word = tuple[str, list[str]]  # the file and the line, and the ten columns

FORM, UPOS, XPOS, HEAD, DEPREL = 1, 3, 4, 6, 7  # the indices of columns

_COLUMNS = 10
_WORD = re.compile(r"[1-9]\d*")
_RANGE = re.compile(r"([1-9]\d*)-([1-9]\d*)")
_EMPTY_NODE = re.compile(r"(\d+)\.[1-9]\d*")


def conllu_sentences(path: Path) -> Iterator[list[Word]]:
    """Yield the words of each sentence of a CoNLL-U file, in file order; at least one sentence.

    Multiword tokens (``3-4 don't``), empty nodes (``5.1``) and comments are not words. They are left out, and their
    number is logged. Each word of a multiword token has its own line.

    Args:
        path: A UTF-8 file, plain or ``.gz``.

    Raises:
        DataFormatError: The file is missing or has no sentence, or a line has another number of columns or an id out of
            order. The message names the file and the line.

    Source:
        universaldependencies.org/format.html.
    """
    words: list[Word] = []
    counts: Counter[str] = Counter()
    for number, text in numbered_lines(path):
        if text.startswith("#"):
            if words:
                raise DataFormatError(f"{path}:{number}: a comment inside of a sentence; end it with a blank line")
            counts["comment"] += 1
        elif not text.strip():
            if words:
                counts["sentence"] += 1
                yield words
                words = []
        else:
            where = f"{path}:{number}"
            columns = tab_columns(text, _COLUMNS)
            if len(columns) != _COLUMNS:
                raise DataFormatError(
                    f"{where}: {len(columns)} column(s); a line of CoNLL-U has {_COLUMNS}, separated by tabs, "
                    "and a blank line ends a sentence"
                )
            kind = _kind(columns[0], len(words) + 1, where)
            if kind == "word":
                words.append((where, columns))
            counts[kind] += 1
    if words:
        counts["sentence"] += 1
        yield words
    if not counts["sentence"]:
        raise DataFormatError(f"{path}: no sentences in it; give a CoNLL-U file")
    numbers = [f"{counts[kind]:,}" for kind in ("sentence", "word", "range", "empty", "comment")]
    log.info(
        "%s: %s sentences, %s words; left out %s multiword tokens, %s empty nodes and %s comments", path.name, *numbers
    )


def filled(value: str, name: str, where: str) -> str:
    """Return the value of a column without spaces around it.

    Args:
        value: The value.
        name: The name of the column, for the message.
        where: The file and the line, for the message.

    Raises:
        DataFormatError: The value is blank.
    """
    if not value.strip():
        raise DataFormatError(f"{where}: the {name} is empty; fill it in")
    return value.strip(" ")


def _kind(identifier: str, following: int, where: str) -> Literal["word", "range", "empty"]:
    """Return what a line contains, from its id; ``following`` is the id that the next word must have."""
    if _WORD.fullmatch(identifier) and int(identifier) == following:
        return "word"
    if (match := _RANGE.fullmatch(identifier)) and following == int(match[1]) < int(match[2]):
        return "range"
    if (match := _EMPTY_NODE.fullmatch(identifier)) and int(match[1]) == following - 1:
        return "empty"
    raise DataFormatError(
        f"{where}: the id is '{identifier}', expected {following}; number the words of a sentence from 1, "
        "and put a blank line between sentences"
    )
