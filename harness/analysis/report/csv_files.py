"""The scores and comparisons of a report as CSV, unrounded. A cell is empty if its value is unknown (NaN)."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import pandas

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.paper_numbers import PublishedNumbers
from harness.analysis.report.printable import printable
from harness.analysis.report.tables import SPLITS

_SCORES = "task data number setting split metric n mean standard_deviation low high published published_source"


def scores_csv(analyses: Sequence[Analysis], numbers: PublishedNumbers) -> str:
    """Return every metric: one row per setting, split and metric.

    Args:
        analyses: The blocks and their statistics.
        numbers: Published numbers to show next to the scores.
    """
    rows: list[dict[str, Any]] = []
    for analysis in analyses:
        block = analysis.block
        for setting in block.settings:
            for split in SPLITS:
                number = numbers.of_setting(setting.record, split)
                for metric in setting.record.metrics[split]:
                    scores = setting.scores(split, metric)
                    row: dict[str, Any] = {
                        "task": block.task,
                        "data": block.data,
                        "number": setting.number,
                        "setting": setting.label,
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
                    rows.append(row)
    return _csv({name: [row.get(name) for row in rows] for name in _SCORES.split()})


def comparisons_csv(analyses: Sequence[Analysis]) -> str:
    """Return every comparison: one row per pair of settings."""
    pairs = [(analysis, pair, pair.result) for analysis in analyses for pair in analysis.comparisons]
    columns: dict[str, list[Any]] = {
        "task": [analysis.block.task for analysis, _, _ in pairs],
        "data": [analysis.block.data for analysis, _, _ in pairs],
        "split": [analysis.split for analysis, _, _ in pairs],
        "metric": [analysis.block.metric for analysis, _, _ in pairs],
        "a": [pair.a.label for _, pair, _ in pairs],
        "b": [pair.b.label for _, pair, _ in pairs],
        "seeds": [len(result.seeds) for _, _, result in pairs],
        "difference": [result.difference for _, _, result in pairs],
        "low": [result.interval[0] for _, _, result in pairs],
        "high": [result.interval[1] for _, _, result in pairs],
        "hedges_g": [result.effect for _, _, result in pairs],
        "p_seeds": [result.p_seeds for _, _, result in pairs],
        "p_seeds_holm": [pair.holm_seeds for _, pair, _ in pairs],
        "detectable": [result.detectable for _, _, result in pairs],
        "p_examples": [result.p_examples for _, _, result in pairs],
        "p_examples_holm": [pair.holm_examples for _, pair, _ in pairs],
    }
    return _csv(columns)


def _csv(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return a table as CSV."""
    safe = {name: list(map(_cell, values)) for name, values in columns.items()}
    return str(pandas.DataFrame(safe).to_csv(index=False, lineterminator="\n"))


def _cell(value: Any) -> Any:
    """Return what a spreadsheet does not take for a formula: an apostrophe before ``=`` marks a text."""
    if not isinstance(value, str):
        return value
    shown = printable(value)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown
