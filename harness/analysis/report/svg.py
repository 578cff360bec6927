"""Plots as inline SVG, without scripts, fonts or colours of their own: ``drawing.css`` colours ``c1`` to ``c8``.

Plots are drawn for the width of a phone and scaled up. Each line has its name in the drawing. With more than eight
lines, each gets a small panel in which the others are grey, so that no colour is used twice.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from harness.analysis.report.axis import Scale, scale, tick_text, ticks
from harness.analysis.report.printable import printable

COLOURS = 8
_WIDTH, _LINE = 400, 16
_LONGEST = 58  # characters of a label that fit into the width


@dataclass(frozen=True)
class Series:
    """A line through the means of values, with a band from the lowest to the highest value.

    Attributes:
        label: The name of the line.
        x: The x of each point.
        values: For each point, the value of each run. A single point is a level: a line across the whole plot.
    """

    label: str
    x: Sequence[float]
    values: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Row:
    """A row of a dot plot.

    Attributes:
        label: The name of the row.
        scores: The score of each run.
        interval: The ends of the interval, or None.
        kind: A CSS class: c1 for usual rows, c2 for rows that stand out.
    """

    label: str
    scores: Sequence[float]
    interval: tuple[float, float] | None
    kind: str = "c1"


def line_chart(title: str, series: Sequence[Series], *, x: Scale, y: Scale) -> str:
    """Return a chart of lines with bands, with their names below; of more than eight lines, one panel per line.

    Args:
        title: What the chart shows.
        series: One or more lines.
        x: The x axis.
        y: The y axis.
    """
    if len(series) <= COLOURS:
        parts = _panel(series, (0, 0, _WIDTH, 250), x, y, kinds=[f"c{i}" for i in range(1, len(series) + 1)])
        for i, one in enumerate(series):
            top = 250 + _LINE * (i + 1)
            sample = line("line", 10, 38, top - 4, top - 4)
            level = " level" if len(one.x) < 2 else ""
            parts.append(f'<g class="c{i + 1}{level}">{sample}{text(46, top, shortened(one.label), "start")}</g>')
        return drawing(title, parts, height=250 + _LINE * len(series) + 8)
    width, height = _WIDTH / 2, 112
    parts = [text(8, 12, f"up: {y.name}", "start"), text(8, 12 + _LINE, f"to the right: {x.name}", "start")]
    for i, one in enumerate(series):
        left, top = width * (i % 2), 22 + _LINE + (height + _LINE) * (i // 2)
        kinds = ["other"] * len(series)
        kinds[i] = "c1"
        parts.append(text(left + 8, top + 12, shortened(one.label, _LONGEST // 2), "start"))
        parts += _panel(series, (left, top + _LINE, width, height), x, y, kinds=kinds, sparse=True)
    return drawing(title, parts, height=26 + _LINE + (height + _LINE) * math.ceil(len(series) / 2))


def _panel(
    series: Sequence[Series],
    box: tuple[float, float, float, float],
    x: Scale,
    y: Scale,
    *,
    kinds: Sequence[str],
    sparse: bool = False,
) -> list[str]:
    """Draw the axes and the lines of one panel into a box of left, top, width and height; grey lines first."""
    y_ticks = ticks([value for one in series for values in one.values for value in values])
    left, top, right, bottom = (
        box[0] + margin_of(y_ticks),
        box[1] + 10,
        box[0] + box[2] - 14,
        box[1] + box[3] - (22 if sparse else 38),
    )
    xs = sorted({value for one in series if len(one.x) > 1 for value in one.x}) or [0.0]
    x_ticks = xs if x.kind in ("log", "names") else ticks(xs, whole=x.kind == "whole")
    x_ticks = [value for value in x_ticks if x.kind != "whole" or xs[0] <= value <= xs[-1]]
    ends = {"names": [xs[0] - 0.3, xs[-1] + 0.3], "whole": [xs[0], xs[-1]]}.get(x.kind, x_ticks)
    x_to = scale(ends, left, right, logarithmic=x.kind == "log")
    y_to = scale(y_ticks, bottom, top)
    parts = []
    for value in y_ticks[:: 2 if sparse else 1]:
        parts += [line("grid", left, right, y_to(value), y_to(value))]
        parts += [text(left - 5, y_to(value) + 4, tick_text(value, y_ticks), "end")]
    shown, room = -math.inf, (22 if x.kind != "names" else 0) + (8 if sparse else 0)
    for value in x_ticks:
        name = x.names[round(value)] if x.kind == "names" else tick_text(value, x_ticks)
        name = f"{value:,.6g}" if x.kind == "log" else name
        if x_to(value) - shown >= room + 3 * len(name):
            parts.append(text(x_to(value), bottom + 15, name))
            shown = x_to(value) + 3 * len(name)
    if not sparse:
        parts.append(text((left + right) / 2, bottom + 31, x.name, "name"))
        parts.append(text(0, 0, y.name, "name", f"translate({box[0] + 11:.1f},{(top + bottom) / 2:.1f}) rotate(-90)"))
    for kind, one in sorted(zip(kinds, series, strict=True), key=lambda pair: pair[0] != "other"):
        level = len(one.x) < 2
        at = [left, right] if level else [x_to(value) for value in one.x]
        values = [one.values[0]] * 2 if level else one.values
        means, low, high = ([y_to(choose(each)) for each in values] for choose in (statistics.mean, min, max))
        band = [*zip(at, high, strict=True), *zip(at[::-1], low[::-1], strict=True)]
        few = not level and len(at) < 20 and kind != "other"
        dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in zip(at, means, strict=True) if few)
        shade = "" if kind == "other" else f'<polygon class="band" points="{_path(band)}"/>'
        path = f'<polyline class="line" points="{_path(list(zip(at, means, strict=True)))}"/>'
        parts.append(f'<g class="{kind}{" level" if level else ""}">{shade}{path}{dots}</g>')
    return parts


def margin_of(y_ticks: Sequence[float]) -> float:
    """Return the room for the name of a vertical axis and the numbers at its ticks, in pixels."""
    return max(42.0, 21 + 7.2 * max(len(tick_text(value, y_ticks)) for value in y_ticks))


def dot_plot(title: str, rows: Sequence[Row], *, x_name: str) -> str:
    """Return a plot with one row per setting: a dot per run, a vertical line at the mean, a bar for the interval.

    Args:
        title: What the plot shows.
        rows: The rows, from top to bottom.
        x_name: The name of the x axis.
    """
    x_ticks = ticks([value for row in rows for value in (*row.scores, *(row.interval or ()))])
    left, right, step = 16, _WIDTH - 22, 34
    bottom = step * len(rows) + 6
    x_to = scale(x_ticks, left, right)
    parts = []
    for value in x_ticks:
        parts += [line("grid", x_to(value), x_to(value), 4, bottom)]
        parts += [text(x_to(value), bottom + 14, tick_text(value, x_ticks))]
    parts.append(text((left + right) / 2, bottom + 31, x_name, "name"))
    for i, row in enumerate(rows):
        y, mean = step * i + 25, x_to(statistics.mean(row.scores))
        drawn = [text(left, y - 11, shortened(row.label), "start")]
        if row.interval is not None:
            low, high = map(x_to, row.interval)
            drawn.append(line("interval", low, high, y, y))
        drawn += [f'<circle cx="{x_to(score):.1f}" cy="{y}" r="3.5"/>' for score in row.scores]
        drawn.append(line("mean", mean, mean, y - 7, y + 7))
        parts.append(f'<g class="{row.kind}">{"".join(drawn)}</g>')
    return drawing(title, parts, height=bottom + 36)


def heat_map(
    title: str,
    labels: Sequence[str],
    shares: Sequence[Sequence[float]],
    *,
    axes: tuple[str, str] = ("gold", "predicted"),
) -> str:
    """Return a square matrix, such as a confusion matrix, with percentages in its cells.

    Args:
        title: What the matrix shows.
        labels: The labels, in the order of rows and columns.
        shares: One row per gold label, one fraction from 0 to 1 per predicted label.
        axes: What rows and columns are.
    """
    cell, names = 36, [shortened(label, 24) for label in labels]
    margin = 30 + 6.5 * max(map(len, names))
    size = margin + cell * len(labels) + 4
    parts = [text(margin + (size - margin) / 2, 12, axes[1], "name")]
    parts.append(text(0, 0, axes[0], "name", f"translate(12,{margin + (size - margin) / 2:.1f}) rotate(-90)"))
    for i, (name, row) in enumerate(zip(names, shares, strict=True)):
        y = margin + cell * i
        parts.append(text(margin - 6, y + cell / 2 + 4, name, "end"))
        parts.append(text(0, 0, name, "start", f"translate({y + cell / 2 + 4:.1f},{margin - 6:.1f}) rotate(-90)"))
        for j, share in enumerate(row):
            x = margin + cell * j
            parts.append(
                f'<rect class="cell" x="{x:.1f}" y="{y:.1f}" width="{cell - 2}" height="{cell - 2}" rx="3" '
                f'fill-opacity="{max(share, 0.03):.3g}"/>'
                + text(x + cell / 2 - 1, y + cell / 2 + 3, f"{100 * share:.0f}", "on" if share > 0.55 else "")
            )
    return drawing(title, parts, width=size, height=size, scaled=False)


def text(x: float, y: float, words: str, kind: str = "", transform: str = "") -> str:
    """Return a text.

    Args:
        x: Its middle; its beginning for the kind ``start``, its end for ``end``.
        y: Its base line.
        words: The text.
        kind: Its CSS class.
        transform: A transform that places it instead of ``x`` and ``y``.
    """
    place = f'transform="{transform}"' if transform else f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text class="{kind}" {place}>{escaped(words)}</text>'


def line(kind: str, x1: float, x2: float, y1: float, y2: float) -> str:
    """Return a straight line.

    Args:
        kind: Its CSS class.
        x1: The x of its beginning.
        x2: The x of its end.
        y1: The y of its beginning.
        y2: The y of its end.
    """
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def drawing(
    title: str, parts: Sequence[str], *, width: float = _WIDTH, height: float = 250, scaled: bool = True
) -> str:
    """Return the SVG element, with a title that screen readers read.

    Args:
        title: What the drawing shows.
        parts: The elements of the drawing.
        width: Its width in pixels.
        height: Its height in pixels.
        scaled: Whether it is as wide as the page allows; otherwise it keeps its size.
    """
    size = "" if scaled else f' width="{width:g}" height="{height:g}"'
    start = f'<svg viewBox="0 0 {width:g} {height:g}"{size} role="img" aria-label="{escaped(title)}">'
    return f"{start}{''.join(parts)}</svg>"


def escaped(words: str) -> str:
    """Return a text as SVG shows it."""
    return escape(printable(words))


def shortened(label: str, most: int = _LONGEST) -> str:
    """Return a label that is at most so long, without its middle if necessary.

    Args:
        label: The label.
        most: The number of characters.
    """
    return label if len(label) <= most else f"{label[: most // 2 - 1]}…{label[-(most - most // 2) :]}"


def _path(at: Sequence[tuple[float, float]]) -> str:
    """Return points as the value of the attribute ``points``."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
