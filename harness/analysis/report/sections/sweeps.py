"""The section ``Sweeps``: score and code length along each axis that has numbers, and by placement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.axes import label_of, title_of
from harness.analysis.report.axis import Scale
from harness.analysis.report.parts import Figure, Part, Wanted
from harness.analysis.report.settings import Setting
from harness.analysis.report.svg import Series, line_chart

_PLACES = ("input", "output", "both")
_COMPRESSION_NOTE = (
    " Compression: the bits of a uniform code of the training labels, divided by those of the online code."
)
_MOST_LEVELS, _MOST_NUMBERED = 3, 5  # lines for settings without a value; lines with the numbers of their settings


@dataclass(frozen=True)
class _Measure:
    """What is drawn upwards: its name, its axis, its value in each run of a setting that has it, and what it is."""

    name: str
    y: Scale
    of: Callable[[Setting], list[float]]
    note: str = ""


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Return a figure of the score for each axis along which the settings form lines, and one of measured compression.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    del wanted
    split = analysis.split
    score = _Measure(
        "Score", Scale(f"{split} {analysis.block.metric}, percent"), lambda one: [100 * v for v in one.scores(split)]
    )
    compression = _Measure("Compression", Scale("compression of the labels"), _compressions, _COMPRESSION_NOTE)
    found = [_figure(analysis, axis, measure) for measure in (score, compression) for axis in analysis.block.axes]
    figures = [figure for figure in found if figure is not None]
    return Part("Along each axis", figures) if figures else None


def _compressions(setting: Setting) -> list[float]:
    """Return how many times shorter than a uniform code the code of the labels is, in each run that measured it."""
    return [run.record.code_length["compression"] for run in setting.runs if run.record.code_length]


def _figure(analysis: Analysis, axis: str, measure: _Measure) -> Figure | None:
    """Draw one line for settings that differ in this axis only, and levels for those that have no value on it."""
    measured = [one for one in analysis.block.settings if measure.of(one)]
    values = {one.number: one.values[axis] for one in measured if _is_place(axis, one.values[axis])}
    groups: dict[str, list[Setting]] = {}
    for one in measured:
        if one.number in values:
            groups.setdefault(repr(_without(one, axis)), []).append(one)
    lines = [group for group in groups.values() if len({values[one.number] for one in group}) > 1]
    if not lines:
        return None
    scale, place_of = _scale(axis, [one for group in lines for one in group])
    rest = [_without(group[0], axis) for group in lines]
    series = []
    for group in lines:
        ordered = sorted(group, key=place_of)
        other = _without(ordered[0], axis)
        label = label_of(other, rest) or label_of(other) or title_of(axis)
        numbers = f" (# {', '.join(str(one.number) for one in ordered)})" if len(lines) <= _MOST_NUMBERED else ""
        series.append(Series(f"{label}{numbers}", [place_of(one) for one in ordered], [*map(measure.of, ordered)]))
    others = [one for one in measured if one.values[axis] is None]
    levels = [one for one in others if one in analysis.baselines]
    levels += [one for one in others if one not in levels]
    for one in levels[:_MOST_LEVELS]:
        series.append(Series(f"{one.label} (# {one.number})", [0], [measure.of(one)]))
    title = f"{measure.name} by {scale.name}"
    note = "A line joins settings that differ only in this axis. Band: from the lowest to the highest seed."
    if levels:
        note += " Dashed: settings without a value on this axis."
    return Figure(title, line_chart(title, series, x=scale, y=measure.y), note + measure.note)


def _is_place(axis: str, value: Any) -> bool:
    """Return whether a value has a place on an axis: numbers do, and placements."""
    return value in _PLACES if axis == "placement" else isinstance(value, int | float) and not isinstance(value, bool)


def _without(setting: Setting, axis: str) -> dict[str, Any]:
    """Return a setting's values on the other axes."""
    return {key: value for key, value in setting.values.items() if key != axis}


def _scale(axis: str, settings: Sequence[Setting]) -> tuple[Scale, Any]:
    """Return the x axis of some settings, and the function that gives the place of each on it."""
    if axis == "placement":
        return Scale("placement", "names", _PLACES), lambda one: _PLACES.index(one.values[axis])
    sizes = {one.number: one.record.data.get("sizes", {}).get("train", 0) for one in settings}
    if axis == "fraction" and min(sizes.values()) > 0 and len(set(sizes.values())) > 1:
        return Scale("training examples", "log"), lambda one: sizes[one.number]
    values = sorted({one.values[axis] for one in settings})
    if axis == "lambda" and values[0] <= 0:  # it has no place on a logarithmic axis
        return Scale("lambda", "names", [f"{value:g}" for value in values]), lambda one: values.index(one.values[axis])
    if values[0] > 0 and (axis in ("lambda", "fraction") or values[-1] / values[0] >= 10) and axis != "layer":
        return Scale(title_of(axis), "log"), lambda one: one.values[axis]
    whole = all(isinstance(value, int) for value in values)
    name = "layer (0: without context)" if axis == "layer" else title_of(axis)
    return Scale(name, "whole" if whole else "number"), lambda one: one.values[axis]
