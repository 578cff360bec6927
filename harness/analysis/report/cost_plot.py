"""A plot of scores against a cost, as inline SVG: the cost is logarithmic, and what nothing dominates is joined."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from harness.analysis.report.axis import scale, tick_text, ticks
from harness.analysis.report.svg import drawing, line, margin_of, shortened, text

_WIDTH, _HEIGHT, _LINE = 400, 280, 16
_RIGHT, _TOP, _BOTTOM = 386, 14, 238
_ZERO = 26  # pixels between the place of zero and the logarithmic axis
_AXIS = 42  # no label begins left of it
_MOST_NAMES = 12
_CHARACTER = 6.4  # pixels of a character of a label


@dataclass(frozen=True)
class Point:
    """A point of the plot.

    Attributes:
        label: What is written beside it, if there is room.
        name: What the list below the plot calls it; an empty text leaves it out.
        cost: Its cost, 0 or more.
        scores: The score of each run.
    """

    label: str
    name: str
    cost: float
    scores: Sequence[float]

    @property
    def score(self) -> float:
        """The mean score."""
        return statistics.mean(self.scores)


def not_dominated(points: Sequence[Point]) -> list[Point]:
    """Return the points for which no other point is both as cheap and as good, the cheapest first.

    Costs are compared in two digits, because measured times are not more exact than that.
    """
    kept: list[Point] = []
    for point in sorted(points, key=lambda one: (float(f"{one.cost:.2g}"), -one.score)):
        if not kept or point.score > kept[-1].score:
            kept.append(point)
    return kept


def cost_plot(title: str, points: Sequence[Point], *, x_name: str, y_name: str) -> str:
    """Return the plot, with the names of the points that nothing dominates below it.

    Args:
        title: What the plot shows.
        points: One or more points.
        x_name: The cost, with its unit.
        y_name: The score.
    """
    best = not_dominated(points)
    y_ticks = ticks([score for point in points for score in point.scores])
    y_to = scale(y_ticks, _BOTTOM, _TOP)
    left = margin_of(y_ticks)
    x_to, x_ticks = _x_axis([point.cost for point in points], left)
    parts = []
    for value in y_ticks:
        parts.append(line("grid", left, _RIGHT, y_to(value), y_to(value)))
        parts.append(text(left - 5, y_to(value) + 4, tick_text(value, y_ticks), "end"))
    for value in x_ticks:
        parts.append(line("grid", x_to(value), x_to(value), _TOP, _BOTTOM))
        parts.append(text(x_to(value), _BOTTOM + 15, short_number(value)))
    parts.append(text((left + _RIGHT) / 2, _BOTTOM + 32, x_name, "name"))
    parts.append(text(0, 0, y_name, "name", f"translate(11,{(_TOP + _BOTTOM) / 2:.1f}) rotate(-90)"))
    path = " ".join(f"{x_to(point.cost):.1f},{y_to(point.score):.1f}" for point in best)
    parts.append(f'<g class="c2"><polyline class="line" points="{path}"/></g>')
    places = {id(point): (x_to(point.cost), y_to(point.score)) for point in points}
    for point in sorted(points, key=best.__contains__):
        x, y = places[id(point)]
        ends = line("range", x, x, y_to(min(point.scores)), y_to(max(point.scores)))
        parts.append(
            f'<g class="{"c2" if point in best else "c1"}">{ends}<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/></g>'
        )
    parts += _labels([*reversed(best), *(point for point in points if point not in best)], places, len(best))
    names = [shortened(f"{point.label}  {point.name}") for point in best if point.name]
    if len(names) > _MOST_NAMES:
        names = [*names[: _MOST_NAMES - 1], f"and {len(names) - _MOST_NAMES + 1} more"]
    parts += [text(10, _HEIGHT + _LINE * (i + 1), name, "start") for i, name in enumerate(names)]
    return drawing(title, parts, height=_HEIGHT + _LINE * len(names) + (8 if names else 0))


def _x_axis(costs: Sequence[float], start: float) -> tuple[Callable[[float], float], list[float]]:
    """Return the place of each cost, and the ticks: zero, if it occurs, has a place left of the logarithmic axis.

    Args:
        costs: The costs.
        start: Where the plot begins.
    """
    above = sorted(cost for cost in costs if cost > 0)
    zero = len(above) < len(costs)
    left = start + 8 + (_ZERO if zero else 0)
    if not above:
        return (lambda _: left), [0.0]
    low, high = above[0], above[-1]
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5)):
        found = [step * 10.0**power for power in powers for step in steps]
        inside = [value for value in found if low <= value <= high]
        if len(inside) >= 3:
            break
    else:
        # No three round numbers in between: the last one below the costs, and the first one above.
        low, high = max(value for value in found if value <= low), min(value for value in found if value >= high)
        inside = [value for value in found if low <= value <= high]
    along = scale([low, high], left, _RIGHT - 10, logarithmic=True)
    marks = inside[:: math.ceil(len(inside) / 6)]
    return (lambda cost: along(cost) if cost > 0 else start + 4), [*([0.0] if zero else []), *marks]


def _labels(points: Sequence[Point], places: Mapping[int, tuple[float, float]], joined: int) -> list[str]:
    """Return the labels, the most important first, each beside its point; a label without room is left out.

    Args:
        points: The points, the most important first.
        places: The place of each point, by its ``id``.
        joined: How many points from the first on are joined by a line, which labels avoid.
    """
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in places.values()]
    for one, other in pairwise(places[id(point)] for point in points[:joined]):
        steps = max(1, round(math.dist(one, other) / 3))
        between = [[a + (b - a) * i / steps for a, b in zip(one, other, strict=True)] for i in range(steps)]
        taken += [(x - 1, y - 1, x + 1, y + 1) for x, y in between]
    parts = []
    for point in points:
        x, y = places[id(point)]
        width = _CHARACTER * len(point.label)
        for start, up in product((x + 6, x - 6 - width), (y - 4, y + 12, y + 4)):
            box = (start, up - 9, start + width, up + 1)
            inside = start >= _AXIS and box[2] <= _WIDTH and up <= _BOTTOM and box[1] >= 0
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                parts.append(text(start, up, point.label, "start"))
                break
    return parts


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    """Return whether two boxes of left, top, right and bottom overlap."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def short_number(value: float) -> str:
    """Return a number of 0 or more with at most three digits and a letter for thousands, millions, ..."""
    for letter, unit in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}"
