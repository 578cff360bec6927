"""Plots as inline SVG: no script, no font, no colour of their own. The page's style sheet colours ``c1`` to ``c8``.

Every plot is drawn for a phone's width and scaled up; a reader of the page's text gets its title.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 18, 10, 38
COLOURS = 8


@dataclass(frozen=True)
class Series:
    """A line with a band.

    Attributes:
        number: of the setting; it chooses the colour.
        x, y: of the line.
        low, high: of the band, as many.
    """

    number: int
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Row:
    """A line of a dot plot: the runs as dots, their mean, and an interval.

    Attributes:
        number: of the setting.
        dots: a score each.
        interval: or None.
    """

    number: int
    dots: Sequence[float]
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Bars:
    """A group of bars, each with a whisker.

    Attributes:
        name: below the group.
        number: of the setting.
        heights, deviations: a bar each.
    """

    name: str
    number: int
    heights: Sequence[float]
    deviations: Sequence[float]


@dataclass(frozen=True)
class Scale:
    """Maps values to pixels, evenly or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._position(self.low), self._position(self.high)
        return self.start + (self._position(value) - low) / ((high - low) or 1) * (self.end - self.start)

    def _position(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


def colour(number: int) -> str:
    """Return the classes of a setting's colour; beyond the last colour, lines are dashed."""
    return f"c{(number - 1) % COLOURS + 1}" + (" dashed" if number > COLOURS else "")


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round values from at or below ``low`` to at or above ``high``, about ``count`` of them."""
    span = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / count))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step * count >= span)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


def line_chart(title: str, series: Sequence[Series], *, x_name: str, y_name: str, logarithmic: bool = False) -> str:
    """Return lines with bands; ``logarithmic`` is of x, and puts a tick at each x there is."""
    xs = sorted({x for one in series for x in one.x})
    y_ticks = ticks(min(min(one.low) for one in series), max(max(one.high) for one in series))
    x_ticks = xs if logarithmic else ticks(xs[0], xs[-1])
    x_to = Scale(x_ticks[0], x_ticks[-1], _LEFT, WIDTH - _RIGHT, logarithmic)
    y_to = Scale(y_ticks[0], y_ticks[-1], HEIGHT - _BOTTOM, _TOP)
    parts = _axes(x_to, y_to, x_ticks, y_ticks, x_name, y_name)
    for one in series:
        upper = [(x_to(x), y_to(y)) for x, y in zip(one.x, one.high, strict=True)]
        lower = [(x_to(x), y_to(y)) for x, y in zip(one.x, one.low, strict=True)]
        line = [(x_to(x), y_to(y)) for x, y in zip(one.x, one.y, strict=True)]
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in (line if len(xs) < 12 else []))
        parts.append(
            f'<g class="{colour(one.number)}"><polygon class="band" points="{_path([*upper, *lower[::-1]])}"/>'
            f'<polyline class="line" points="{_path(line)}"/>{dots}<title>{one.number}</title></g>'
        )
    return _drawing(title, parts)


def dot_plot(title: str, rows: Sequence[Row], *, x_name: str) -> str:
    """Return a row a setting: dots for runs, a tick for their mean, a bar for the interval."""
    values = [value for row in rows for value in (*row.dots, *(row.interval or ()))]
    x_ticks = ticks(min(values), max(values))
    height = 26 * len(rows) + _TOP + _BOTTOM
    x_to = Scale(x_ticks[0], x_ticks[-1], _LEFT - 10, WIDTH - _RIGHT)
    parts = [_vertical(x_to(x), _TOP, height - _BOTTOM, _number(x, x_ticks)) for x in x_ticks]
    parts.append(f'<text class="name" x="{(_LEFT - 10 + WIDTH - _RIGHT) / 2}" y="{height - 4}">{escape(x_name)}</text>')
    for i, row in enumerate(rows):
        y = _TOP + 26 * i + 13
        drawn = [f'<text class="tick end" x="{_LEFT - 18}" y="{y + 4}">{row.number}</text>']
        if row.interval:
            low, high = map(x_to, row.interval)
            drawn.append(f'<line class="interval" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>')
        drawn += [f'<circle cx="{x_to(dot):.1f}" cy="{y}" r="3.5"/>' for dot in row.dots]
        mean = x_to(sum(row.dots) / len(row.dots))
        drawn.append(f'<line class="mean" x1="{mean:.1f}" x2="{mean:.1f}" y1="{y - 9}" y2="{y + 9}"/>')
        parts.append(f'<g class="{colour(row.number)}">{"".join(drawn)}</g>')
    return _drawing(title, parts, height=height)


def bar_chart(title: str, groups: Sequence[Bars], *, y_name: str, reference: float) -> str:
    """Return groups of bars, a bar a layer from the left, with a dashed line at ``reference``."""
    highest = max(h + d for group in groups for h, d in zip(group.heights, group.deviations, strict=True))
    y_ticks = ticks(0, max(highest, reference))
    y_to = Scale(0, y_ticks[-1], HEIGHT - _BOTTOM, _TOP)
    parts = [_horizontal(y_to(y), _number(y, y_ticks)) for y in y_ticks]
    room = (WIDTH - _LEFT - _RIGHT) / len(groups)
    for i, group in enumerate(groups):
        width = min(26.0, 0.8 * room / len(group.heights))
        start = _LEFT + room * (i + 0.5) - width * len(group.heights) / 2
        drawn = []
        for layer, (height, deviation) in enumerate(zip(group.heights, group.deviations, strict=True)):
            x, top = start + layer * width, y_to(height)
            drawn.append(
                f'<rect class="bar" x="{x + 1:.1f}" y="{top:.1f}" width="{width - 2:.1f}" '
                f'height="{max(HEIGHT - _BOTTOM - top, 0):.1f}"><title>layer {layer}: {height:.3f}</title></rect>'
            )
            low, high = y_to(max(height - deviation, 0)), y_to(height + deviation)
            middle = x + width / 2
            drawn.append(f'<line class="whisker" x1="{middle:.1f}" x2="{middle:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
            drawn.append(f'<text class="tick" x="{middle:.1f}" y="{HEIGHT - _BOTTOM + 13}">{layer}</text>')
        name = f'<text class="name" x="{_LEFT + room * (i + 0.5):.1f}" y="{HEIGHT - 8}">{escape(group.name)}</text>'
        parts.append(f'<g class="{colour(group.number)}">{"".join(drawn)}{name}</g>')
    level = y_to(reference)
    parts.append(f'<line class="reference" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{level:.1f}" y2="{level:.1f}"/>')
    parts.append(_upright(y_name))
    return _drawing(title, parts)


def heat_map(title: str, labels: Sequence[str], shares: Sequence[Sequence[float]]) -> str:
    """Return a matrix of shares from 0 to 1: a row a gold label, a column a predicted one; numbers are percent."""
    cell = 36
    margin = 12 + 6.5 * max(map(len, labels))
    width, height = margin + cell * len(labels) + 4, margin + cell * len(labels) + 4
    parts = []
    for i, (label, row) in enumerate(zip(labels, shares, strict=True)):
        middle = margin + cell * i + cell / 2
        name = escape(label)
        parts.append(f'<text class="tick end" x="{margin - 6}" y="{middle + 4}">{name}</text>')
        parts.append(
            f'<text class="tick start" transform="translate({middle + 4},{margin - 6}) rotate(-90)">{name}</text>'
        )
        for j, share in enumerate(row):
            x, y = margin + cell * j, margin + cell * i
            told = f"{name} as {escape(labels[j])}: {100 * share:.1f} %"
            strong = " on" if share > 0.55 else ""
            parts.append(
                f'<g><rect class="cell" x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" '
                f'fill-opacity="{max(share, 0.03):.3f}"/><text class="tick{strong}" x="{x + cell / 2 - 1}" '
                f'y="{y + cell / 2 + 3}">{100 * share:.0f}</text><title>{told}</title></g>'
            )
    return _drawing(title, parts, width=width, height=height, scaled=False)


def _axes(
    x_to: Scale, y_to: Scale, x_ticks: Sequence[float], y_ticks: Sequence[float], x_name: str, y_name: str
) -> list[str]:
    return [
        *(_horizontal(y_to(y), _number(y, y_ticks)) for y in y_ticks),
        *(
            f'<text class="tick" x="{x_to(x):.1f}" y="{HEIGHT - _BOTTOM + 17}">{_number(x, x_ticks)}</text>'
            for x in x_ticks
        ),
        f'<text class="name" x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 4}">{escape(x_name)}</text>',
        _upright(y_name),
    ]


def _horizontal(y: float, name: str) -> str:
    line = f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{line}<text class="tick end" x="{_LEFT - 5}" y="{y + 4:.1f}">{name}</text>'


def _vertical(x: float, top: float, bottom: float, name: str) -> str:
    line = f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'
    return f'{line}<text class="tick" x="{x:.1f}" y="{bottom + 14}">{name}</text>'


def _upright(name: str) -> str:
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    return f'<text class="name" transform="translate(10,{middle}) rotate(-90)">{escape(name)}</text>'


def _number(value: float, all_ticks: Sequence[float]) -> str:
    step = min((b - a for a, b in pairwise(all_ticks)), default=1.0)
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _drawing(
    title: str, parts: Sequence[str], *, width: float = WIDTH, height: float = HEIGHT, scaled: bool = True
) -> str:
    size = "" if scaled else f' width="{width}" height="{height}"'
    return f'<svg viewBox="0 0 {width} {height}"{size} role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
