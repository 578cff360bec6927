"""Sentences with predicates and their arguments: columns of CoNLL-2005 or CoNLL-2012, or JSON lines.

    CoNLL-2005  The word is in the first column. The lemma of each predicate is in the last column without ``*`` (``-``
                for other words). After it, there is one column of arguments in brackets for each predicate, in order.
    CoNLL-2012  A file with a line ``#begin document``: the word is in column 4, the lemma of a predicate in column 7,
                the arguments are in column 12 and after it, and the last column is for coreference.
    JSON lines  ``{"words": ["It", "rained"], "frames": [{"pred": 1, "tags": ["O", "B-V"]}]}``: for each predicate, the
                index of its word, counted from 0, and one BIO tag per word. Other keys are ignored.

Source: Carreras and Màrquez 2005, section 2.2; Pradhan et al. 2012, table 2.
"""

import logging
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ConfigError, DataFormatError
from harness.types import Sentence
from harness.utils.text_files import is_json, numbered_lines
from tasks.common.column_files import Columns, check_words
from tasks.common.table_files import json_objects
from tasks.common.tag_schemes import TagError, spans

log = logging.getLogger(__name__)

_JSON = 'write {"words": ["It", "rained"], "frames": [{"pred": 1, "tags": ["O", "B-V"]}]}'
_COLUMNS = "set data.columns=[WORD,PREDICATE], the numbers of these columns (1 is the first)"
_BRACKETS = re.compile(r"(?:\((?P<role>[^()*]+))?\*(?P<close>(?P<closed>[^()*]*)\))?")


class Frame(NamedTuple):
    """A predicate of a sentence.

    Args:
        predicate: The index of its word.
        tags: The BIO tag of each word; None if the tags are not read.
    """

    predicate: int
    tags: tuple[str, ...] | None


class WithFrames(NamedTuple):
    """A sentence with its predicates.

    Args:
        words: The words.
        frames: The predicates, in the order of the file.
    """

    words: Sentence
    frames: tuple[Frame, ...]


def read_frames(path: Path, columns: Columns | None = None, *, labelled: bool = True) -> list[WithFrames]:
    """Return the sentences of a file in file order, at least one of them with a predicate.

    Args:
        path: A UTF-8 file, plain or ``.gz``; JSON lines if its name ends in ``.jsonl``, otherwise columns.
        columns: The numbers of the columns of the word and of the predicate, for files like those of CoNLL-2005; None
            for the usual ones.
        labelled: Whether to read the arguments. If not, JSON lines need no ``tags``, and files like those of CoNLL-2005
            need no columns of arguments.

    Raises:
        ConfigError: ``columns`` are given for a file like those of CoNLL-2012.
        DataFormatError: The file cannot be read or is not in this format; the message names the line.
    """
    if is_json(path):
        sentences = [_of_json(where, values, labelled=labelled) for where, values in json_objects(path)]
    else:
        sentences = list(_of_columns(path, columns, labelled=labelled))
    frames = sum(len(sentence.frames) for sentence in sentences)
    if not frames:
        raise DataFormatError(
            f"{path}: no predicate in {len(sentences)} sentences; {_JSON}, or give columns of CoNLL-2005"
        )
    check_words((sentence.words for sentence in sentences), where=str(path), fix=_COLUMNS)
    log.info("%s: %s sentences, %s predicates", path.name, f"{len(sentences):,}", f"{frames:,}")
    return sentences


# JSON lines.


def _of_json(where: str, values: dict[str, Any], *, labelled: bool) -> WithFrames:
    """Return the sentence of one JSON object."""
    words = values.get("words")
    if not (isinstance(words, list) and words and all(isinstance(word, str) and word.strip() for word in words)):
        raise DataFormatError(f"{where}: 'words' is not a list of words; {_JSON}")
    given = values.get("frames")
    if not (isinstance(given, list) and all(isinstance(frame, dict) for frame in given)):
        raise DataFormatError(f"{where}: 'frames' is not a list of objects; {_JSON}")
    frames = [
        _frame_of_json(frame, len(words), f"{where}: frame {number}", labelled=labelled)
        for number, frame in enumerate(given, start=1)
    ]
    return WithFrames(tuple(map(sys.intern, words)), tuple(frames))


def _frame_of_json(frame: dict[str, Any], length: int, where: str, *, labelled: bool) -> Frame:
    """Return one predicate of a sentence of ``length`` words."""
    predicate = frame.get("pred")
    if type(predicate) is not int or not 0 <= predicate < length:
        raise DataFormatError(f"{where}: 'pred' is {predicate!r:.40}; give the index of a word, from 0 to {length - 1}")
    if not labelled:
        return Frame(predicate, None)
    tags = frame.get("tags")
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise DataFormatError(f"{where}: 'tags' is not a list of strings; {_JSON}")
    if len(tags) != length:
        raise DataFormatError(f"{where}: {len(tags)} tags for {length} words; give one for each word")
    try:
        spans(tags, "bio")
    except TagError as error:
        raise DataFormatError(f"{where}: tag {error.position + 1}: {error}; correct the tag") from None
    return Frame(predicate, tuple(map(sys.intern, tags)))


# Columns.


@dataclass(frozen=True)
class _Row:
    """The cells of one line of a column file; ``line`` is its number."""

    line: int
    cells: Sequence[str]


@dataclass(frozen=True)
class _Layout:
    """Which columns hold what, counted from 0.

    Attributes:
        word, predicate: The columns of the word, and of the lemma of a predicate.
        first: The first column of arguments.
        after: The number of columns after the arguments.
        exact: Whether each lemma has a column of arguments, in order. If not, the verb (``V``) of a column is its
            predicate, and nouns may have a lemma too.
    """

    word: int
    predicate: int
    first: int
    after: int
    exact: bool


_CONLL_2012 = _Layout(word=3, predicate=6, first=11, after=1, exact=False)


def _of_columns(path: Path, columns: Columns | None, *, labelled: bool) -> Iterator[WithFrames]:
    """Yield the sentences of a column file."""
    layout, without_verb = None, 0
    if any(line.startswith("#begin document") for _, line in numbered_lines(path)):
        layout = _CONLL_2012
        if columns is not None:
            raise ConfigError(
                f"data.columns={list(columns)}: {path} is a CoNLL-2012 file, and its columns are fixed; leave it out"
            )
    for inside, group in groupby(_rows(path), key=lambda row: bool(row.cells)):
        if not inside:
            continue
        rows = list(group)
        _check_widths(path, rows)
        if layout is None:
            layout = _layout_of(path, rows, columns)
        sentence, left_out = _sentence(path, rows, layout, labelled=labelled)
        without_verb += left_out
        yield sentence
    if without_verb:
        log.info("%s: left out %s columns of arguments without a V", path.name, f"{without_verb:,}")


def _rows(path: Path) -> Iterator[_Row]:
    """Yield the lines of a file; one between two sentences has no cells."""
    for number, line in numbered_lines(path):
        marks = line.startswith(("#begin document", "#end document"))
        cells = [cell for cell in line.replace("\t", " ").split(" ") if cell]
        yield _Row(number, [] if marks else cells)


def _check_widths(path: Path, rows: Sequence[_Row]) -> None:
    """Raise an error unless all lines of a sentence have the same number of columns."""
    width = len(rows[0].cells)
    for row in rows:
        if len(row.cells) != width:
            raise DataFormatError(
                f"{path}:{row.line}: {len(row.cells)} column(s) where line {rows[0].line} of the same sentence has "
                f"{width}; give every word the same number of columns"
            )


def _layout_of(path: Path, rows: Sequence[_Row], columns: Columns | None) -> _Layout:
    """Return the columns of a file like those of CoNLL-2005, which its first sentence shows."""
    width = len(rows[0].cells)
    plain = [i for i in range(width) if not any("*" in row.cells[i] for row in rows)]
    word, predicate = (number - 1 for number in columns) if columns else (0, max(plain, default=0))
    if not (0 <= word < width and 0 <= predicate < width and word != predicate):
        raise DataFormatError(
            f"{path}:{rows[0].line}: no column of predicates beside that of words among {width} column(s); give one "
            f"with the lemma of each predicate and '-' for other words, or {_COLUMNS}"
        )
    return _Layout(word=word, predicate=predicate, first=predicate + 1, after=0, exact=True)


def _sentence(path: Path, rows: Sequence[_Row], layout: _Layout, *, labelled: bool) -> tuple[WithFrames, int]:
    """Return a sentence, and how many of its columns of arguments have no verb and are left out."""
    place, width = f"{path}:{rows[0].line}", len(rows[0].cells)
    count = width - layout.first - layout.after
    if count < 0:
        raise DataFormatError(
            f"{place}: {width} column(s), where {layout.first + layout.after} are the fewest: the word is in "
            f"column {layout.word + 1} and the lemma of a predicate in column {layout.predicate + 1}; add the others"
        )
    words = tuple(sys.intern(row.cells[layout.word]) for row in rows)
    lemmas = [i for i, row in enumerate(rows) if row.cells[layout.predicate] != "-"]
    if layout.exact and not labelled:
        return WithFrames(words, tuple(Frame(i, None) for i in lemmas)), 0
    if count > len(lemmas) or (layout.exact and count < len(lemmas)):
        raise DataFormatError(
            f"{place}: {count} column(s) of arguments for {len(lemmas)} predicate(s) in column {layout.predicate + 1}; "
            "give one column for each predicate"
        )
    frames = []
    for number in range(count):
        tags = _tags(path, rows, layout.first + number)
        if layout.exact:
            frames.append(Frame(lemmas[number], tags))
        elif "B-V" in tags:
            frames.append(Frame(tags.index("B-V"), tags))
    return WithFrames(words, tuple(frames)), count - len(frames)


def _tags(path: Path, rows: Sequence[_Row], column: int) -> tuple[str, ...]:
    """Return the BIO tags of a column of arguments in brackets: ``(ARG0*``, ``*``, ``*)``, ``(V*)``."""
    tags, role, opened = [], "", 0
    for row in rows:
        cell, where = row.cells[column], f"{path}:{row.line}: column {column + 1}"
        found = _BRACKETS.fullmatch(cell)
        if found is None:
            hint = "; arguments of one predicate cannot be nested" if cell.count("(") > 1 else ""
            raise DataFormatError(f"{where} has '{cell}'; write (ROLE*, *, *) or (ROLE*){hint}")
        if found["role"] and role:
            raise DataFormatError(f"{where} opens {found['role']} in {role} of line {opened}; close that one first")
        if found["role"]:
            role, opened = found["role"], row.line
        if found["close"] and (not role or found["closed"] not in ("", role)):
            raise DataFormatError(f"{where} closes {found['closed'] or 'an argument'}, but {role or 'none'} is open")
        tags.append(sys.intern(f"{'B' if found['role'] else 'I'}-{role}") if role else "O")
        if found["close"]:
            role = ""
    if role:
        raise DataFormatError(f"{path}:{opened}: column {column + 1} opens {role}, which its sentence never closes")
    return tuple(tags)
