"""Plots as inline SVG, without scripts, fonts or colours; the style sheet of the page colours ``c1`` to ``c8``.

Plots are drawn for the width of a phone and scaled up. Their title is read out by screen readers.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from harness.analysis.report.printable import printable

COLOURS = 8
_WIDTH, _HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, _WIDTH - 18, 10, _HEIGHT - 38  # the edges of the plotted area


@dataclass(frozen=True)
class Series:
    """A line through the means of values, with a band from the lowest to the highest value.

    Attributes:
        number: The number of the setting, which determines the colour.
        x: The x of each point.
        values: For each point, the value of each run.
    """

    number: int
    x: Sequence[float]
    values: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Bars:
    """A group of bars, as high as the means of values, with whiskers of one standard deviation.

    Attributes:
        number: The number of the setting, which determines the colour.
        name: The text below the group.
        values: For each bar, the value of each run, 0 or more.
    """

    number: int
    name: str
    values: Sequence[Sequence[float]]


def scale(ends: Sequence[float], start: float, end: float, *, logarithmic: bool = False) -> Callable[[float], float]:
    """Return a function from values to pixels.

    Args:
        ends: Two or more values; the first is drawn at ``start`` and the last at ``end``.
        start: A position in pixels.
        end: A position in pixels.
        logarithmic: Whether equal ratios of values, rather than equal differences, have equal lengths.
    """
    position = math.log if logarithmic else float
    low, high = position(ends[0]), position(ends[-1])
    return lambda value: start + (position(value) - low) / ((high - low) or 1) * (end - start)


def colour(number: int) -> str:
    """Return the CSS classes of a setting's colour; after the last colour, colours repeat with dashed lines."""
    return f"c{(number - 1) % COLOURS + 1}" + (" dashed" if number > COLOURS else "")


def ticks(values: Sequence[float]) -> list[float]:
    """Return about five round, evenly spaced numbers, from at most the lowest value to at least the highest."""
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / 5))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step * 5 >= span)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


def line_chart(title: str, series: Sequence[Series], *, x_name: str, y_name: str, logarithmic: bool = False) -> str:
    """Return a chart of lines with bands.

    Args:
        title: What the chart shows.
        series: One or more lines.
        x_name: The name of the x axis.
        y_name: The name of the y axis.
        logarithmic: Whether the x axis is logarithmic; it then has a tick at each x of the data.
    """
    xs = sorted({x for one in series for x in one.x})
    x_ticks = xs if logarithmic else ticks(xs)
    x_to = scale(x_ticks, _LEFT, _RIGHT, logarithmic=logarithmic)
    y_to, parts = _y_axis(y_name, [value for one in series for values in one.values for value in values])
    parts += [_text(x_to(x), _BOTTOM + 17, _number(x, x_ticks)) for x in x_ticks]
    parts.append(_text((_LEFT + _RIGHT) / 2, _HEIGHT - 4, x_name, "name"))
    for one in series:
        line, low, high = (
            [(x_to(x), y_to(choose(values))) for x, values in zip(one.x, one.values, strict=True)]
            for choose in (statistics.mean, min, max)
        )
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in (line if len(xs) < 12 else []))
        parts.append(
            f'<g class="{colour(one.number)}"><polygon class="band" points="{_path([*high, *low[::-1]])}"/>'
            f'<polyline class="line" points="{_path(line)}"/>{dots}<title>{one.number}</title></g>'
        )
    return _drawing(title, parts)


def dot_plot(
    title: str, rows: Mapping[int, Sequence[float]], intervals: Mapping[int, tuple[float, float]], *, x_name: str
) -> str:
    """Return a plot with one row per setting: a dot per run, a vertical line at the mean, a bar for the interval.

    Args:
        title: What the plot shows.
        rows: The scores of the runs of each setting, by its number.
        intervals: The ends of the interval of each setting that has one.
        x_name: The name of the x axis.
    """
    x_ticks = ticks([value for values in (*rows.values(), *intervals.values()) for value in values])
    bottom, left = _TOP + 26 * len(rows), _LEFT - 10
    x_to = scale(x_ticks, left, _RIGHT)
    parts = []
    for x in x_ticks:
        parts += [_line("grid", x_to(x), x_to(x), _TOP, bottom), _text(x_to(x), bottom + 14, _number(x, x_ticks))]
    parts.append(_text((left + _RIGHT) / 2, bottom + 34, x_name, "name"))
    for i, (number, scores) in enumerate(rows.items()):
        y, mean = _TOP + 26 * i + 13, x_to(statistics.mean(scores))
        drawn = [_text(left - 8, y + 4, str(number), "end")]
        if number in intervals:
            low, high = map(x_to, intervals[number])
            drawn.append(_line("interval", low, high, y, y))
        drawn += [f'<circle cx="{x_to(score):.1f}" cy="{y}" r="3.5"/>' for score in scores]
        drawn.append(_line("mean", mean, mean, y - 9, y + 9))
        parts.append(f'<g class="{colour(number)}">{"".join(drawn)}</g>')
    return _drawing(title, parts, height=bottom + 38)


def bar_chart(title: str, groups: Sequence[Bars], *, y_name: str) -> str:
    """Return groups of bars, numbered from 0, with a dashed line across each group where equal shares of 1 would be.

    Args:
        title: What the chart shows.
        groups: One or more groups.
        y_name: The name of the y axis, which starts at 0.
    """
    spans = [
        [(statistics.mean(runs), statistics.stdev(runs) if len(runs) > 1 else 0.0) for runs in group.values]
        for group in groups
    ]
    tops = [mean + deviation for span in spans for mean, deviation in span]
    y_to, parts = _y_axis(y_name, [0, *(1 / len(span) for span in spans), *tops])
    room = (_RIGHT - _LEFT) / len(groups)
    for i, (group, span) in enumerate(zip(groups, spans, strict=True)):
        width = min(26.0, 0.8 * room / len(span))
        centre = _LEFT + room * (i + 0.5)
        drawn = [_text(centre, _HEIGHT - 8, group.name, "name")]
        for layer, (height, deviation) in enumerate(span):
            x, top = centre + width * (layer - len(span) / 2), y_to(height)
            drawn.append(
                f'<rect class="bar" x="{x + 1:.1f}" y="{top:.1f}" width="{width - 2:.1f}" '
                f'height="{max(_BOTTOM - top, 0):.1f}"><title>layer {layer}: {height:.3f}</title></rect>'
            )
            middle = x + width / 2
            drawn.append(_line("whisker", middle, middle, y_to(max(height - deviation, 0)), y_to(height + deviation)))
            drawn.append(_text(middle, _BOTTOM + 13, str(layer)))
        parts.append(f'<g class="{colour(group.number)}">{"".join(drawn)}</g>')
        equal = y_to(1 / len(span))
        parts.append(_line("reference", centre - room / 2, centre + room / 2, equal, equal))
    return _drawing(title, parts)


def heat_map(title: str, labels: Sequence[str], shares: Sequence[Sequence[float]]) -> str:
    """Return a confusion matrix with percentages in its cells.

    Args:
        title: What the matrix shows.
        labels: The labels, in the order of rows and columns.
        shares: One row per gold label, one fraction from 0 to 1 per predicted label.
    """
    cell = 36
    margin = 12 + 6.5 * max(map(len, labels))
    size = margin + cell * len(labels) + 4
    parts = []
    for i, (label, row) in enumerate(zip(labels, shares, strict=True)):
        y = margin + cell * i
        parts.append(_text(margin - 6, y + cell / 2 + 4, label, "end"))
        parts.append(_upright_text(y + cell / 2 + 4, margin - 6, label, "start"))
        for j, share in enumerate(row):
            x = margin + cell * j
            number = _text(x + cell / 2 - 1, y + cell / 2 + 3, f"{100 * share:.0f}", "on" if share > 0.55 else "")
            parts.append(
                f'<g><rect class="cell" x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" '
                f'fill-opacity="{max(share, 0.03):.3f}"/>{number}'
                f"<title>{escaped(label)} as {escaped(labels[j])}: {100 * share:.1f} %</title></g>"
            )
    return _drawing(title, parts, width=size, height=size, scaled=False)


def _y_axis(name: str, values: Sequence[float]) -> tuple[Callable[[float], float], list[str]]:
    """Return the scale of an axis for these values, and its drawing: grid lines, their numbers, and the name."""
    y_ticks = ticks(values)
    y_to = scale(y_ticks, _BOTTOM, _TOP)
    parts = [_upright_text(10, (_TOP + _BOTTOM) / 2, name, "name")]
    for y in y_ticks:
        parts.append(_line("grid", _LEFT, _RIGHT, y_to(y), y_to(y)))
        parts.append(_text(_LEFT - 5, y_to(y) + 4, _number(y, y_ticks), "end"))
    return y_to, parts


def _line(kind: str, x1: float, x2: float, y1: float, y2: float) -> str:
    """Return a straight line of a CSS class."""
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    """Return a text of a CSS class; without ``end`` or ``start``, ``x`` is its middle."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escaped(text)}</text>'


def _upright_text(x: float, y: float, text: str, kind: str) -> str:
    """Return a text of a CSS class that runs from bottom to top."""
    return f'<text class="{kind}" transform="translate({x:.1f},{y:.1f}) rotate(-90)">{escaped(text)}</text>'


def _number(value: float, all_ticks: Sequence[float]) -> str:
    """Return the text of a tick, with as many decimals as the distance between ticks needs."""
    step = min((b - a for a, b in pairwise(all_ticks)), default=1.0)
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def escaped(text: str) -> str:
    """Return a text as SVG shows it."""
    return escape(printable(text))


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Return points as the value of the attribute ``points``."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _drawing(
    title: str, parts: Sequence[str], *, width: float = _WIDTH, height: float = _HEIGHT, scaled: bool = True
) -> str:
    """Return the SVG element; one that is not scaled keeps its size on wide screens."""
    size = "" if scaled else f' width="{width}" height="{height}"'
    return f'<svg viewBox="0 0 {width} {height}"{size} role="img" aria-label="{escaped(title)}">{"".join(parts)}</svg>'
