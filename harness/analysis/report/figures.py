"""The figures of a report."""

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.class_tables import Confusion
from harness.analysis.report.settings import Block, Setting
from harness.analysis.report.svg import Bars, Series, bar_chart, dot_plot, heat_map, line_chart
from harness.errors import DataFormatError
from harness.runs.record import read_history

log = logging.getLogger(__name__)

_FRACTION = re.compile(r" data\.fraction=\S+")


@dataclass(frozen=True)
class Figure:
    """A drawing, and how to read it.

    Attributes:
        title: What the figure shows.
        drawing: The drawing as SVG.
        legend: The numbers of the settings in the drawing, each with a label, or with an empty text if the label is
            shown elsewhere.
        note: How to read the drawing.
    """

    title: str
    drawing: str
    legend: tuple[tuple[int, str], ...]
    note: str


def figures(analysis: Analysis, confusions: Sequence[Confusion]) -> list[Figure]:
    """Return the figures for which the runs of a block have data.

    Args:
        analysis: The block and its statistics.
        confusions: The confusion matrices of its settings.
    """
    block = analysis.block
    found = [
        _scores(analysis),
        _learning_curves(block),
        _training_sizes(block, analysis.split),
        _mix_weights(block),
        *map(_confusion, confusions),
    ]
    return [figure for figure in found if figure is not None]


def _scores(analysis: Analysis) -> Figure:
    """Draw the score of every run, and each setting's interval over examples."""
    settings = analysis.block.settings
    scores = {setting.number: [100 * score for score in setting.scores(analysis.split)] for setting in settings}
    intervals = {number: (100 * low, 100 * high) for number, (low, high) in analysis.intervals.items()}
    title = f"Scores on {analysis.split}"
    note = "Dots: runs, one per seed. Vertical line: their mean."
    if analysis.intervals:
        note += " Bar: the 95 % interval of the mean score over resampled examples."
    drawing = dot_plot(title, scores, intervals, x_name=f"{analysis.block.metric} on {analysis.split}, percent")
    return Figure(title, drawing, tuple((setting.number, setting.label) for setting in settings), note)


def _learning_curves(block: Block) -> Figure | None:
    """Draw the dev score by epoch, up to the last epoch that every run of a setting reached."""
    series = []
    for setting in block.settings:
        try:
            courses = [read_history(run.folder, f"dev/{block.metric}") for run in setting.runs]
        except DataFormatError as error:
            log.warning("no learning curve of setting %d: %s", setting.number, error)
            continue
        epochs = min(map(len, courses))
        if epochs:
            columns = [[100 * course[i] for course in courses] for i in range(epochs)]
            series.append(Series(setting.number, range(1, epochs + 1), columns))
    if not series:
        return None
    title = "Learning curves"
    return Figure(
        title,
        line_chart(title, series, x_name="epoch", y_name=f"dev {block.metric}, percent"),
        tuple((one.number, "") for one in series),
        "Line: mean over seeds, up to the last epoch that all runs reached. Band: from the lowest seed to the highest.",
    )


def _training_sizes(block: Block, split: str) -> Figure | None:
    """Draw the score by the number of training examples, one line for settings that differ in nothing else."""
    lines: dict[str, list[Setting]] = {}
    for setting in block.settings:
        lines.setdefault(_FRACTION.sub("", setting.label), []).append(setting)
    series, legend = [], []
    for label, settings in lines.items():
        ordered = sorted(settings, key=_training_size)
        sizes = [_training_size(setting) for setting in ordered]
        if len(set(sizes)) == len(sizes) > 1 and min(sizes) > 0:
            columns = [[100 * score for score in setting.scores(split)] for setting in ordered]
            series.append(Series(ordered[0].number, sizes, columns))
            numbers = ", ".join(str(setting.number) for setting in ordered)
            legend.append((ordered[0].number, f"{label} (settings {numbers})"))
    if not series:
        return None
    title, y_name = "Score by training examples", f"{split} {block.metric}, percent"
    return Figure(
        title,
        line_chart(title, series, x_name="training examples", y_name=y_name, logarithmic=True),
        tuple(legend),
        "A line joins settings that differ only in data.fraction and in options that always vary with it. Band: from "
        "the lowest to the highest seed.",
    )


def _mix_weights(block: Block) -> Figure | None:
    """Draw the weight of each layer in each mix that has learned or fixed weights."""
    groups = []
    for setting in block.settings:
        places = setting.record.mixing.get("weights", {})
        for place in places:
            runs = [run.record.mixing.get("weights", {}).get(place, ()) for run in setting.runs]
            name = f"{setting.number} {place}" if len(places) > 1 else str(setting.number)
            if len(set(map(len, runs))) == 1 and runs[0] and all(math.isfinite(one) for run in runs for one in run):
                groups.append(Bars(setting.number, name, list(zip(*runs, strict=True))))
    if not groups:
        return None
    title = "Mix weights"
    return Figure(
        title,
        bar_chart(title, groups, y_name="weight"),
        tuple((number, "") for number in dict.fromkeys(group.number for group in groups)),
        "One group of bars per mix, one bar per layer from 0: the mean over seeds. Line on a bar: one standard "
        "deviation up and down. Dashed line: equal weights of the layers of this mix.",
    )


def _confusion(matrix: Confusion) -> Figure:
    """Draw a confusion matrix."""
    title = f"Confusion on {matrix.split}, setting {matrix.setting.number}"
    return Figure(
        title,
        heat_map(title, matrix.labels, matrix.shares),
        ((matrix.setting.number, matrix.setting.label),),
        "Percent of each gold label (row) that was predicted as each label (column), mean over seeds.",
    )


def _training_size(setting: Setting) -> float:
    """Return the number of training examples, 0 if it is unknown."""
    return float(setting.record.data.get("sizes", {}).get("train", 0))
