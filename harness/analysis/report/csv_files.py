"""A report as CSV, unrounded, ready for pandas. A cell is empty if its value is unknown (NaN)."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.axes import NAMED, options_of
from harness.analysis.report.paper_numbers import PublishedNumbers
from harness.analysis.report.printable import printable
from harness.analysis.report.settings import Results
from harness.analysis.report.tables import SPLITS
from harness.runs.cost import cost_of
from harness.runs.record import RunRecord

_OF_COMPARISONS = (
    "task data family split metric number_a number_b a b seeds difference low high hedges_g p_seeds p_seeds_holm "
    "detectable p_examples p_examples_holm"
)
_ABOUT = ("number", "setting", "task", "data", "seed", *NAMED)


def runs_table(results: Results) -> pandas.DataFrame:
    """Return one row per run: a column per named axis, per other option that differs, and per result.

    The metrics are columns such as ``test/f1``, as fractions. The code length is in ``code_length.bits`` and
    ``code_length.compression``, and the weight of layer 1 in a mix at the input in ``weight.input.1``.
    """
    rows = []
    for block in results.blocks:
        for setting in block.settings:
            for run in setting.runs:
                record = run.record
                about = {"number": setting.number, "setting": setting.label, "folder": str(run.folder)}
                scores = {f"{split}/{name}": score for split in SPLITS for name, score in record.metrics[split].items()}
                more = {
                    "primary_metric": record.primary_metric,
                    "epochs": record.epochs,
                    "parameters": record.parameters,
                }
                times = {f"timing.{name}": value for name, value in record.timing.items()}
                costs = {f"cost.{name}": value for name, value in cost_of(record).items()} | {"url": record.url}
                found = _code_length(record) | _weights(record)
                rows.append(options_of(record) | about | {"data": block.data} | more | found | times | costs | scores)
    frame = _frame(rows)
    same = [name for name in frame if frame[name].map(repr).nunique() == 1]
    dropped = {name for name in same if name not in (*_ABOUT, "folder", "primary_metric") and "/" not in name}
    options = [name for name in frame if name not in _ABOUT and name not in dropped]
    return frame[[name for name in _ABOUT if name in frame] + options]


def _code_length(record: RunRecord) -> dict[str, float]:
    """Return the code length of a run; nothing if it was not measured."""
    names = ("bits", "uniform_bits", "compression")
    return {f"code_length.{name}": record.code_length[name] for name in names if name in record.code_length}


def _weights(record: RunRecord) -> dict[str, float]:
    """Return the weight of each layer in the mixes of a run."""
    weights = record.mixing.get("weights", {})
    return {f"weight.{place}.{layer}": one for place, row in weights.items() for layer, one in enumerate(row)}


def settings_table(analyses: Sequence[Analysis], numbers: PublishedNumbers) -> pandas.DataFrame:
    """Return the aggregates: one row per setting, split and metric.

    Args:
        analyses: The blocks and their statistics.
        numbers: Published numbers to show next to the scores.
    """
    columns = "task data number setting split metric n mean standard_deviation low high published published_source"
    return _frame(_aggregates(analyses, numbers), columns.split())


def _aggregates(analyses: Sequence[Analysis], numbers: PublishedNumbers) -> Iterator[dict[str, Any]]:
    for analysis in analyses:
        block = analysis.block
        for setting in block.settings:
            about = {"task": block.task, "data": block.data, "number": setting.number, "setting": setting.label}
            for split in SPLITS:
                number = numbers.of_setting(setting.record, split)
                for metric in setting.metrics(split):
                    scores = setting.scores(split, metric)
                    row: dict[str, Any] = {
                        **about,
                        "split": split,
                        "metric": metric,
                        "n": len(scores),
                        "mean": statistics.mean(scores),
                        "standard_deviation": statistics.stdev(scores) if len(scores) > 1 else None,
                    }
                    if metric == block.metric and split == analysis.split:
                        row["low"], row["high"] = analysis.intervals.get(setting.number, (None, None))
                    if number is not None and number.metric == metric:
                        row |= {"published": number.value / 100, "published_source": number.source}
                    yield row


def comparisons_table(analyses: Sequence[Analysis]) -> pandas.DataFrame:
    """Return every comparison: one row per pair of settings, in each family of which it is part."""
    rows = [
        {
            "task": analysis.block.task,
            "data": analysis.block.data,
            "family": family,
            "split": analysis.split,
            "metric": analysis.block.metric,
            "number_a": pair.a.number,
            "number_b": pair.b.number,
            "a": pair.a.label,
            "b": pair.b.label,
            "seeds": len(pair.result.seeds),
            "difference": pair.result.difference,
            "low": pair.result.interval[0],
            "high": pair.result.interval[1],
            "hedges_g": pair.result.effect,
            "p_seeds": pair.result.p_seeds,
            "p_seeds_holm": pair.holm_seeds,
            "detectable": pair.result.detectable,
            "p_examples": pair.result.p_examples,
            "p_examples_holm": pair.holm_examples,
        }
        for analysis in analyses
        for family, pairs in (
            ("baseline", analysis.with_baseline),
            ("best", analysis.with_best),
            ("all pairs", analysis.pairs),
        )
        for pair in pairs
    ]
    return _frame(rows, _OF_COMPARISONS.split())


def as_csv(frame: pandas.DataFrame) -> str:
    """Return a table as CSV."""
    return str(frame.rename(columns=_cell).map(_cell).to_csv(index=False, lineterminator="\n"))


def _frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> pandas.DataFrame:
    """Return a table of rows; pandas cannot hold every text of somebody else's records."""
    safe = [{printable(name): _shown(value) for name, value in row.items()} for row in rows]
    return pandas.DataFrame(safe, columns=columns)


def _shown(value: Any) -> Any:
    """Return a number as it is, and anything else as text that is safe to show."""
    return value if value is None or isinstance(value, bool | int | float) else printable(str(value))


def _cell(value: Any) -> Any:
    """Return what a spreadsheet does not take for a formula: an apostrophe before ``=`` marks a text."""
    shown = _shown(value)
    return f"'{shown}" if isinstance(shown, str) and shown.startswith(("=", "+", "-", "@")) else shown
