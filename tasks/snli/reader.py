"""Read SNLI: pairs of sentences, each with a label that says how the second sentence follows from the first."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError, nearest
from harness.utils.text_files import json_value, numbered_lines, tab_columns

log = logging.getLogger(__name__)

LABELS = ("entailment", "neutral", "contradiction")
_NO_GOLD = "-"  # the annotators did not agree
_TEXTS = ("sentence1", "sentence2")
_FIELDS = ("gold_label", *_TEXTS)


@dataclass(frozen=True, kw_only=True)
class SentencePair:
    """One labelled pair, as raw text.

    Attributes:
        premise: The first sentence, never blank.
        hypothesis: The second sentence, never blank.
        label: One of ``LABELS``; None if the labels are not read.
        id: The id of the pair in the data set, or an empty string.
    """

    premise: str
    hypothesis: str
    label: str | None
    id: str = ""


def read_pairs(path: Path, *, labelled: bool = True) -> list[SentencePair]:
    """Return the pairs of a file of the published data set in file order, at least one.

    The first line shows whether the file is jsonl or tab-separated. In every split, pairs without a gold label are
    dropped, and their number is logged.

    Args:
        path: A UTF-8 file, plain or ``.gz``: JSON objects with ``gold_label``, ``sentence1`` and ``sentence2``, or a
            table with these columns.
        labelled: Whether to read the labels. If not, a file need not have them, and no pair is dropped.

    Raises:
        DataFormatError: The file is missing, unreadable, in another format, or has no labelled pair.

    Source: Bowman et al. 2015; the README of the data set for the label ``-``.
    """
    rows = ((f"{path}:{number}", row) for number, row in _rows(path, _FIELDS if labelled else _TEXTS))
    if labelled:
        return _labelled_pairs(rows, str(path))
    pairs = [_pair(row, None, where) for where, row in rows]
    if not pairs:
        raise DataFormatError(f"{path}: no pairs in it; give a file such as snli_1.0_test.jsonl")
    return pairs


def pairs_of_rows(rows: Iterable[Mapping[str, Any]], source: str) -> list[SentencePair]:
    """Return the labelled pairs of SNLI as a table, in the order of its rows.

    Args:
        rows: Rows with ``premise``, ``hypothesis`` and ``label``. The label ``-`` means that there is no gold label;
            such rows are dropped as in ``read_pairs``.
        source: The name of the table, which errors name.

    Raises:
        DataFormatError: A field of a row is wrong, or no row has a label. The message names the row.
    """
    columns = {"gold_label": "label", "sentence1": "premise", "sentence2": "hypothesis"}
    return _labelled_pairs(
        (
            (f"{source}, row {number}", {field: row[column] for field, column in columns.items()})
            for number, row in enumerate(rows, start=1)
        ),
        source,
    )


def _labelled_pairs(rows: Iterable[tuple[str, Mapping[str, Any]]], source: str) -> list[SentencePair]:
    """Return the rows with a gold label as pairs. Each row comes with its place, which errors name."""
    pairs, dropped = [], 0
    for where, row in rows:
        label = _text(row, "gold_label", where)
        if label == _NO_GOLD:
            dropped += 1
            continue
        if label not in LABELS:
            raise DataFormatError(f"{where}: gold_label is '{label}'{nearest(label, (*LABELS, _NO_GOLD))}")
        pairs.append(_pair(row, label, where))
    if not pairs:
        raise DataFormatError(
            f"{source}: {dropped} pairs, none with a gold label; give a file such as snli_1.0_train.jsonl"
        )
    log.info("%s: %s pairs; dropped %s without a gold label", source, f"{len(pairs):,}", f"{dropped:,}")
    return pairs


def _pair(row: Mapping[str, Any], label: str | None, where: str) -> SentencePair:
    """Return the sentences of a row as a pair."""
    premise, hypothesis = (_text(row, field, where) for field in _TEXTS)
    return SentencePair(premise=premise, hypothesis=hypothesis, label=label, id=str(row.get("pairID") or ""))


def _rows(path: Path, fields: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the line number and the fields of each pair in a file; a table needs the columns ``fields``."""
    lines = ((number, line) for number, line in numbered_lines(path) if line.strip())
    first_number, first = next(lines, (1, ""))
    if first.lstrip().startswith("{"):
        yield first_number, _json_object(first, f"{path}:{first_number}")
        for number, line in lines:
            yield number, _json_object(line, f"{path}:{number}")
    elif first:
        names = tab_columns(first, 0)
        if missing := [field for field in fields if field not in names]:
            raise DataFormatError(
                f"{path}:{first_number}: neither a JSON object nor a header with the column {missing[0]}"
                f"{nearest(missing[0], names)}; give snli_1.0_*.jsonl or snli_1.0_*.txt"
            )
        for number, line in lines:
            columns = tab_columns(line, len(names))
            if len(columns) != len(names):
                raise DataFormatError(
                    f"{path}:{number}: {len(columns)} column(s), but the header has {len(names)}; "
                    "separate columns by one tab, or download the file again if the line is cut off"
                )
            yield number, dict(zip(names, columns, strict=True))


def _json_object(line: str, where: str) -> Mapping[str, Any]:
    """Return the JSON object of a line."""
    try:
        row = json_value(line)
    except json.JSONDecodeError as error:
        raise DataFormatError(
            f"{where}: not JSON ({error.msg} at character {error.pos + 1}); "
            "fix the line, or download the file again if the line is cut off"
        ) from None
    if not isinstance(row, dict):
        raise DataFormatError(f"{where}: not a JSON object; give one object per line, with {', '.join(_FIELDS)}")
    return row


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
    """Return the text of a field. It is an error if it is missing, blank or not text."""
    if field not in row:
        raise DataFormatError(f"{where}: {field} is missing{nearest(field, row)}; expected text")
    value = row[field]
    if not isinstance(value, str):
        raise DataFormatError(f"{where}: {field} is {'null' if value is None else repr(value)}; expected text")
    if not value.strip():
        raise DataFormatError(f"{where}: {field} is empty; fill it in, or remove the pair")
    return value
