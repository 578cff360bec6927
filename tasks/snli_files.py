"""Files of SNLI: pairs of sentences and how the second follows from the first."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError, nearest
from harness.text_files import numbered_lines

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
    pairs, counts = [], Counter[str]()
    for number, row in _rows(path):
        where = f"{path}:{number}"
        label = _text(row, "gold_label", where)
        if label != _NO_GOLD:
            if label not in LABELS:
                raise DataFormatError(f"{where}: gold_label is '{label}'{nearest(label, (*LABELS, _NO_GOLD))}")
            premise, hypothesis = _text(row, "sentence1", where), _text(row, "sentence2", where)
            pair_id = str(row.get("pairID") or "")
            pairs.append(SentencePair(premise=premise, hypothesis=hypothesis, label=label, id=pair_id))
        counts[label] += 1
    if not pairs:
        raise DataFormatError(
            f"{path}: no pair with a gold label among {counts.total()}; give a file such as snli_1.0_train.jsonl"
        )
    log.info("%s: %s pairs, %s without a gold label dropped", path.name, f"{len(pairs):,}", f"{counts[_NO_GOLD]:,}")
    return pairs


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
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
