"""The axes of a plot: how values become positions, and where the ticks are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Scale:
    """How an axis is drawn.

    Attributes:
        name: What the axis shows, with its unit.
        kind: ``number``; ``whole``, with ticks at whole numbers; ``log``, with a tick at each value of the data; or
            ``names``, for the positions 0, 1, ... of names.
        names: The names.
    """

    name: str
    kind: str = "number"
    names: Sequence[str] = ()


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


def ticks(values: Sequence[float], *, whole: bool = False) -> list[float]:
    """Return about five round, evenly spaced numbers, from at most the lowest value to at least the highest.

    Args:
        values: The values that are drawn.
        whole: Whether only whole numbers are ticks.
    """
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / 5))
    step *= next(factor for factor in (1, 2, 5, 10) if factor * step * 5 >= span)
    step = max(step, 1.0) if whole else step
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


def tick_text(value: float, all_ticks: Sequence[float]) -> str:
    """Return the text of a tick, with as many decimals as the distance between ticks needs.

    Args:
        value: Where the tick is.
        all_ticks: Where all ticks of the axis are.
    """
    step = min((b - a for a, b in pairwise(all_ticks)), default=1.0)
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"
