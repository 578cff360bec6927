"""The tables of single classes or labels: the score of each class, and confusion matrices."""

import statistics
from dataclasses import dataclass

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.settings import Block, Setting
from harness.analysis.report.tables import Table, spread

_CONFUSION = "confusion"


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix, the mean over the runs of a setting, with labels in the order of rows and columns.

    ``shares`` has one row per gold label: the fraction of its examples that was predicted as each label, or zeros if
    the gold label does not occur.
    """

    setting: Setting
    split: str
    labels: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]


def classes_table(analysis: Analysis) -> Table | None:
    """Return the primary metric of each class, or F1 if there is none; None for a task without classes."""
    block, split = analysis.block, analysis.split
    metric = block.metric if _classes(block, split, block.metric) else "f1"
    rows = [
        (name, *(spread(setting.scores(split, f"{name}/{metric}")) for setting in block.settings))
        for name in _classes(block, split, metric)
    ]
    columns = ("class", *(f"#{setting.number}" for setting in block.settings))
    note = "Each column is a setting, given by its number."
    return Table(f"Classes: {metric} on {split}", columns, rows, note=note) if rows else None


def _classes(block: Block, split: str, metric: str) -> list[str]:
    """Return the classes that have a metric of their own, in the order of the records."""
    names = dict.fromkeys(
        name for setting in block.settings for run in setting.runs for name in run.record.metrics.get(split, {})
    )
    parts = (name.rpartition("/") for name in names if not name.startswith(f"{_CONFUSION}/"))
    return [head for head, _, tail in parts if head and tail == metric]


def confusions(analysis: Analysis) -> list[Confusion]:
    """Return the confusion matrix of each setting whose runs recorded one."""
    found, split = [], analysis.split
    for setting in analysis.block.settings:
        names = setting.record.metrics.get(split, {})
        labels = [name.removesuffix("/f1") for name in names if name.endswith("/f1")]
        labels = [label for label in labels if f"{_CONFUSION}/{label}/{label}" in names]
        rows = []
        for gold in labels:
            cells = [setting.scores(split, f"{_CONFUSION}/{gold}/{other}") for other in labels]
            row = [statistics.mean(scores) if scores else 0.0 for scores in cells]
            total = sum(row)
            rows.append(tuple(cell / total if total else 0.0 for cell in row))
        if rows:
            found.append(Confusion(setting, split, tuple(labels), tuple(rows)))
    return found


def confusion_table(confusion: Confusion) -> Table:
    """Return a confusion matrix as a table: one row per gold label, one column per predicted label."""
    rows = [
        (gold, *(f"{100 * share:.1f}" for share in row))
        for gold, row in zip(confusion.labels, confusion.shares, strict=True)
    ]
    return Table(
        f"Confusion of setting {confusion.setting.number} on {confusion.split}",
        ("gold", *confusion.labels),
        rows,
        note="Percent of each gold label that was predicted as each label, mean over seeds.",
    )
