"""The figures of a report: what is drawn of a block's runs."""

import json
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.settings import Block, Recorded, Setting
from harness.analysis.report.svg import Bars, Row, Series, bar_chart, dot_plot, heat_map, line_chart
from harness.analysis.report.tables import Confusion
from harness.errors import DataFormatError

_FRACTION = re.compile(r" data\.fraction=\S+")


@dataclass(frozen=True)
class Figure:
    """A drawing and how to read it.

    Attributes:
        title: what it shows.
        drawing: SVG.
        legend: numbers of the settings in it, each with a label or, where the label is near anyway, without.
        note: how to read it.
    """

    title: str
    drawing: str
    legend: tuple[tuple[int, str], ...]
    note: str


def figures(block: Block, analysis: Analysis, confusions: Sequence[Confusion]) -> list[Figure]:
    """Return the figures that the runs of a block can fill."""
    found = [
        scores(block, analysis),
        learning_curves(block),
        training_sizes(block, analysis.split),
        mix_weights(block),
        *(confusion(one, analysis.split) for one in confusions),
    ]
    return [figure for figure in found if figure is not None]


def scores(block: Block, analysis: Analysis) -> Figure:
    """Draw every run's score, and the interval over examples."""
    split = analysis.split
    rows = [
        Row(
            setting.number,
            [100 * score for score in setting.scores(split)],
            _percent(analysis.intervals.get(setting.number)),
        )
        for setting in block.settings
    ]
    title = f"Scores on {split}"
    return Figure(
        title,
        dot_plot(title, rows, x_name=f"{block.metric} on {split}, percent"),
        _legend(block.settings),
        "Dots: runs, one a seed; tick: their mean. Bar: 95 % of the mean score over resampled examples."
        if analysis.intervals
        else "Dots: runs, one a seed; tick: their mean.",
    )


def learning_curves(block: Block) -> Figure | None:
    """Draw the dev score by epoch, as far as every run of a setting went."""
    series, drawn = [], []
    for setting in block.settings:
        courses = [_course(run, f"dev/{block.metric}") for run in setting.runs]
        epochs = min(map(len, courses))
        if epochs:
            columns = [[100 * course[i] for course in courses] for i in range(epochs)]
            series.append(_series(setting.number, [i + 1.0 for i in range(epochs)], columns))
            drawn.append(setting)
    if not series:
        return None
    title = "Learning curves"
    return Figure(
        title,
        line_chart(title, series, x_name="epoch", y_name=f"dev {block.metric}, percent"),
        _numbers(drawn),
        "Line: mean over seeds, as far as every run of a setting went; band: from the lowest seed to the highest.",
    )


def training_sizes(block: Block, split: str) -> Figure | None:
    """Draw the score by the number of training examples, a line for settings that differ in it alone."""
    lines: dict[str, list[Setting]] = {}
    for setting in block.settings:
        lines.setdefault(_FRACTION.sub("", setting.label), []).append(setting)
    series, legend = [], []
    for label, some in lines.items():
        ordered = sorted(some, key=_training_size)
        sizes = [_training_size(one) for one in ordered]
        if len(set(sizes)) == len(sizes) > 1:
            columns = [[100 * score for score in one.scores(split)] for one in ordered]
            series.append(_series(ordered[0].number, sizes, columns))
            legend.append((ordered[0].number, f"{label} (settings {', '.join(str(one.number) for one in ordered)})"))
    if not series:
        return None
    title = "Score by training examples"
    return Figure(
        title,
        line_chart(
            title, series, x_name="training examples", y_name=f"{split} {block.metric}, percent", logarithmic=True
        ),
        tuple(legend),
        "A line joins settings that differ in data.fraction alone, and in what always goes with it; band: from the "
        "lowest seed to the highest.",
    )


def mix_weights(block: Block) -> Figure | None:
    """Draw how much each layer weighs in each mix, where a mix has learnt weights or been given them."""
    groups, drawn = [], []
    for setting in block.settings:
        places = setting.record.mixing.get("weights", {})
        for place in places:
            runs = [run.record.mixing["weights"][place] for run in setting.runs]
            deviations = [statistics.stdev(layer) if len(runs) > 1 else 0.0 for layer in zip(*runs, strict=True)]
            means = [statistics.mean(layer) for layer in zip(*runs, strict=True)]
            name = f"{setting.number} {place}" if len(places) > 1 else str(setting.number)
            groups.append(Bars(name, setting.number, means, deviations))
        if places:
            drawn.append(setting)
    if not groups:
        return None
    title = "Mix weights"
    return Figure(
        title,
        bar_chart(title, groups, y_name="weight", reference=1 / len(groups[0].heights)),
        _numbers(drawn),
        "A group a mix, a bar a layer from 0; mean over seeds, whisker: one standard deviation. Dashed: equal weights.",
    )


def confusion(matrix: Confusion, split: str) -> Figure:
    """Draw a confusion matrix."""
    title = f"Confusion on {split}, setting {matrix.setting.number}"
    return Figure(
        title,
        heat_map(title, matrix.labels, matrix.by_gold()),
        _legend([matrix.setting]),
        "Percent of each gold label (row) that was predicted as each label (column), mean over seeds.",
    )


def _course(run: Recorded, name: str) -> list[float]:
    """Return a scalar of each epoch; nothing where the run has left no history."""
    path = run.folder / "history.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [float(row[name]) for row in rows]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise DataFormatError(f"{path}: not a history ({error}); run it again with overwrite=true") from None


def _series(number: int, x: Sequence[float], columns: Sequence[Sequence[float]]) -> Series:
    return Series(
        number, x, [statistics.mean(c) for c in columns], [min(c) for c in columns], [max(c) for c in columns]
    )


def _training_size(setting: Setting) -> float:
    return float(setting.record.data.get("sizes", {}).get("train", 0))


def _percent(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return (100 * interval[0], 100 * interval[1]) if interval else None


def _numbers(settings: Sequence[Setting]) -> tuple[tuple[int, str], ...]:
    return tuple((setting.number, "") for setting in settings)


def _legend(settings: Sequence[Setting]) -> tuple[tuple[int, str], ...]:
    return tuple((setting.number, setting.label) for setting in settings)
