"""Files of SNLI: pairs of sentences and how the second follows from the first."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError, nearest
from harness.utils.text_files import numbered_lines

log = logging.getLogger(__name__)

LABELS = ("entailment", "neutral", "contradiction")
_NO_GOLD = "-"  # the annotators did not agree
_FIELDS = ("gold_label", "sentence1", "sentence2")


@dataclass(frozen=True, kw_only=True)
class SentencePair:
    """One labelled pair, as raw text.

    Attributes:
        premise, hypothesis: the sentences; never blank.
        label: one of ``LABELS``.
        id: the data set's own, or empty.
    """

    premise: str
    hypothesis: str
    label: str
    id: str = ""


def read_pairs(path: Path) -> list[SentencePair]:
    """Read a file of the published data set, jsonl or tab-separated, whichever its first line shows.

    Pairs without a gold label are dropped and counted in the log, in every split.

    Args:
        path: a UTF-8 file, plain or ``.gz``: objects with ``gold_label``, ``sentence1`` and ``sentence2``, or a
            table with these columns.

    Returns:
        The pairs with a gold label, in file order; at least one.

    Raises:
        DataFormatError: the file is missing, unreadable, not of this format, or has no labelled pair.

    Source: Bowman et al. 2015; the files' own README on ``-``.
    """
    return _labelled(((f"{path}:{number}", row) for number, row in _lines(path)), str(path))


def pairs_of_rows(rows: Iterable[Mapping[str, Any]], source: str) -> list[SentencePair]:
    """Read SNLI as a table: ``premise``, ``hypothesis`` and ``label`` of each row.

    Args:
        rows: the label is ``-`` where there is no gold label; such rows are dropped as in ``read_pairs``.
        source: where they are from, for errors.

    Raises:
        DataFormatError: naming the row.
    """
    return _labelled(
        (
            (
                f"{source}, row {number}",
                {"gold_label": row["label"], "sentence1": row["premise"], "sentence2": row["hypothesis"]},
            )
            for number, row in enumerate(rows, start=1)
        ),
        source,
    )


def _labelled(rows: Iterable[tuple[str, Mapping[str, Any]]], source: str) -> list[SentencePair]:
    """Keep the rows with a gold label; each comes with its place, for errors."""
    pairs, without = [], 0
    for where, row in rows:
        label = _text(row, "gold_label", where)
        if label == _NO_GOLD:
            without += 1
            continue
        if label not in LABELS:
            raise DataFormatError(f"{where}: gold_label is '{label}'{nearest(label, (*LABELS, _NO_GOLD))}")
        premise, hypothesis = _text(row, "sentence1", where), _text(row, "sentence2", where)
        pairs.append(SentencePair(premise=premise, hypothesis=hypothesis, label=label, id=str(row.get("pairID") or "")))
    if not pairs:
        raise DataFormatError(
            f"{source}: no pair with a gold label among {without}; give a file such as snli_1.0_train.jsonl"
        )
    log.info("%s: %s pairs, %s without a gold label dropped", source, f"{len(pairs):,}", f"{without:,}")
    return pairs


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the line number and the fields of each pair."""
    lines = ((number, line) for number, line in numbered_lines(path) if line.strip())
    first_number, first = next(lines, (1, ""))
    if first.lstrip().startswith("{"):
        yield first_number, _object(first, f"{path}:{first_number}")
        for number, line in lines:
            yield number, _object(line, f"{path}:{number}")
    elif first:
        names = first.split("\t")
        if missing := [field for field in _FIELDS if field not in names]:
            raise DataFormatError(
                f"{path}:{first_number}: neither a JSON object nor a header with the column {missing[0]}"
                f"{nearest(missing[0], names)}; give snli_1.0_*.jsonl or snli_1.0_*.txt"
            )
        for number, line in lines:
            columns = line.split("\t")
            if len(columns) != len(names):
                raise DataFormatError(
                    f"{path}:{number}: {len(columns)} column(s) where the header has {len(names)}; "
                    "part columns by one tab, or fetch the file again if the line is cut off"
                )
            yield number, dict(zip(names, columns, strict=True))


def _object(line: str, where: str) -> Mapping[str, Any]:
    """Parse a line of jsonl."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataFormatError(f"{where}: not JSON ({reason}); fetch the file again if the line is cut off") from None
    if not isinstance(row, dict):
        raise DataFormatError(f"{where}: not a JSON object; give one with {', '.join(_FIELDS)} a line")
    return row


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
    """Return a field, which must be there and not blank."""
    value = row.get(field)
    if not isinstance(value, str):
        what = "is missing" if value is None else f"is {value!r}"
        raise DataFormatError(f"{where}: {field} {what}{nearest(field, row) if value is None else ''}; expected text")
    if not value.strip():
        raise DataFormatError(f"{where}: {field} is empty; give the text, or leave the pair out")
    return value
