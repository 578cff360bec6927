"""CoNLL-U files: one word per line in ten columns, of which the words and one kind of tag are read."""

import logging
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

from harness.errors import DataFormatError
from harness.types import Sentence
from harness.utils.text_files import numbered_lines, tab_columns
from tasks.common.column_files import check_words

log = logging.getLogger(__name__)

Tagset = Literal["upos", "xpos"]
TaggedSentence = tuple[Sentence, tuple[str, ...] | None]

_COLUMNS = 10
_FORM = 1
_TAGS: dict[Tagset, int] = {"upos": 3, "xpos": 4}
_WORD = re.compile(r"[1-9]\d*")
_RANGE = re.compile(r"([1-9]\d*)-([1-9]\d*)")
_EMPTY_NODE = re.compile(r"(\d+)\.[1-9]\d*")


def read_conllu(path: Path, tagset: Tagset = "upos", *, labelled: bool = True) -> list[TaggedSentence]:
    """Read the words of a CoNLL-U file and their tags.

    Multiword tokens (``3-4 don't``), empty nodes (``5.1``) and comments are not words. They are left out, and their
    number is logged. Each word of a multiword token has its own line.

    Args:
        path: A UTF-8 file, plain or ``.gz``.
        tagset: Which column to read: ``upos``, universal tags, or ``xpos``, those of the language.
        labelled: Whether every word needs a tag. If not, the tags are not read.

    Returns:
        The words and the tags of each sentence (None if not read), in file order; at least one sentence.

    Raises:
        DataFormatError: The file is missing or has no sentence, or a line has another number of columns, an id out of
            order, or no word or tag. The message names the file and the line.

    Source:
        universaldependencies.org/format.html.
    """
    sentences: list[TaggedSentence] = []
    words: list[str] = []
    tags: list[str] = []
    counts: Counter[str] = Counter()
    for number, text in numbered_lines(path):
        if text.startswith("#"):
            if words:
                raise DataFormatError(f"{path}:{number}: a comment inside of a sentence; end it with a blank line")
            counts["comment"] += 1
            continue
        if not text.strip():
            if words:
                sentences.append((tuple(words), tuple(tags) if labelled else None))
                words, tags = [], []
            continue
        where = f"{path}:{number}"
        columns = tab_columns(text, _COLUMNS)
        if len(columns) != _COLUMNS:
            raise DataFormatError(
                f"{where}: {len(columns)} column(s); a line of CoNLL-U has {_COLUMNS}, separated by tabs, "
                "and a blank line ends a sentence"
            )
        kind = _kind(columns[0], len(words) + 1, where)
        if kind == "word":
            words.append(sys.intern(_filled(columns[_FORM], "word (column 2)", where)))
            tags.append(sys.intern(_tag(columns, tagset, where)) if labelled else "")
        counts[kind] += 1
    if words:
        sentences.append((tuple(words), tuple(tags) if labelled else None))
    if not sentences:
        raise DataFormatError(f"{path}: no sentences in it; give a CoNLL-U file")
    check_words(
        (words for words, _ in sentences), where=str(path), fix="give a treebank whose second column is its text"
    )
    log.info(
        "%s: %s sentences, %s words; left out %s multiword tokens, %s empty nodes and %s comments",
        path.name,
        *(f"{n:,}" for n in (len(sentences), *(counts[kind] for kind in ("word", "range", "empty", "comment")))),
    )
    return sentences


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


def _tag(columns: list[str], tagset: Tagset, where: str) -> str:
    """Return the tag of a word, which must not be missing."""
    tag = _filled(columns[_TAGS[tagset]], f"{tagset} tag (column {_TAGS[tagset] + 1})", where)
    if tag == "_":
        other = "xpos" if tagset == "upos" else "upos"
        raise DataFormatError(f"{where}: the {tagset} tag is missing ('_'); fill it in, or choose task.tagset={other}")
    return tag


def _filled(value: str, name: str, where: str) -> str:
    """Return the value of a column without spaces around it; it must not be blank."""
    if not value.strip():
        raise DataFormatError(f"{where}: the {name} is empty; fill it in")
    return value.strip(" ")
