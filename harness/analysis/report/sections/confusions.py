"""The section ``Confusion``: which classes are taken for which, for the baseline and the best setting."""

import statistics

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.parts import Figure, Part, Wanted
from harness.analysis.report.sections.classes import chosen_settings
from harness.analysis.report.settings import CONFUSION, Setting
from harness.analysis.report.svg import heat_map

_MOST = 3


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Draw the confusion matrix of each setting; of many, only the best and its baseline.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    del wanted
    figures = []
    for one in chosen_settings(analysis, _MOST):
        labels, shares = confusion(one, analysis.split)
        if labels:
            title = f"Confusion on {analysis.split}: # {one.number}, {one.label}"
            note = "Percent of each gold label (row) that was predicted as each label (column), mean over seeds."
            figures.append(Figure(title, heat_map(title, labels, shares), note))
    return Part("Confusion", figures) if figures else None


def confusion(setting: Setting, split: str) -> tuple[list[str], list[list[float]]]:
    """Return the labels, and for each gold label the share of its examples that was predicted as each label.

    A gold label that does not occur has zeros.

    Args:
        setting: The setting; shares are means over its runs.
        split: The split that was scored.
    """
    names = setting.metrics(split)
    labels = [name.removesuffix("/f1") for name in names if name.endswith("/f1")]
    labels = [label for label in labels if f"{CONFUSION}/{label}/{label}" in names]
    rows = []
    for gold in labels:
        row = [statistics.mean(setting.scores(split, f"{CONFUSION}/{gold}/{other}")) for other in labels]
        total = sum(row)
        rows.append([cell / total if total else 0.0 for cell in row])
    return labels, rows
