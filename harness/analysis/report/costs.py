"""What settings cost, from their records; one group of plots per device, because times of two cannot be compared."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.report.cost_plot import Point, cost_plot, not_dominated
from harness.analysis.report.parts import Figure
from harness.analysis.report.settings import Setting
from harness.runs.cost import COST_FIELDS, cost_of
from harness.runs.record import RunRecord

# The costs that have a plot: the name of the plot, and what the axis shows.
_PLOTTED = {
    "encoder_parameters": ("Score by size of the encoder", "weights of the encoder"),
    "s_per_million_tokens": ("Score by time to encode", "seconds to encode a million tokens"),
    "bytes_per_token": ("Score by space on disk", "bytes in the feature store for each token"),
    "epoch_s": ("Score by time to train", "seconds of training for each epoch"),
}
_FEWEST = 3  # points of a plot
_NUMBERS = [name for name in COST_FIELDS if name != "device"]
_NOTE = (
    "The cost is logarithmic; cheap is left, good is up. Orange: no other point is both as cheap and as good. Labels "
    "without room are left out."
)


@dataclass(frozen=True)
class Priced:
    """A score and its costs on one device.

    Attributes:
        label, name: As in ``cost_plot.Point``.
        scores: The score of each run, in percent.
        costs: The median of each known cost over the runs.
    """

    label: str
    name: str
    scores: Sequence[float]
    costs: Mapping[str, float]


def costs_of(setting: Setting) -> dict[str, dict[str, float]]:
    """Return the median of each known cost over a setting's runs on each device, by the name of the device."""
    devices: dict[str, list[dict[str, float]]] = {}
    for run in setting.runs:
        device = cost_of(run.record)["device"]
        if isinstance(device, str) and (costs := _costs(run.record)):
            devices.setdefault(device, []).append(costs)
    return {device: medians(runs) for device, runs in devices.items()}


def medians(some: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each cost that all of them have."""
    return {name: statistics.median(one[name] for one in some) for name in some[0] if all(name in one for one in some)}


def _costs(record: RunRecord) -> dict[str, float]:
    """Return the costs of a run that are known, and the time to encode a million tokens."""
    recorded = cost_of(record)
    known = {name: recorded[name] for name in _NUMBERS if _is_cost(recorded[name])}
    if known.get("tokens_per_s"):
        known["s_per_million_tokens"] = 1e6 / known["tokens_per_s"]
    elif known and record.encoder.get("name") == "none":
        known["s_per_million_tokens"] = 0.0
    return known


def _is_cost(value: object) -> bool:
    """Return whether a value is a number that a plot can show."""
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1e18 and not 0 < value < 1e-9


def cost_figures(devices: Mapping[str, Sequence[Priced]], *, y_name: str) -> list[Figure]:
    """Draw the score of three or more points against each cost that differs, on each device.

    Args:
        devices: What was scored, by the name of the device.
        y_name: What the score is.
    """
    figures = []
    for device, some in devices.items():
        for cost, (title, x_name) in _PLOTTED.items():
            points = [Point(one.label, one.name, one.costs[cost], one.scores) for one in some if cost in one.costs]
            if len(points) < _FEWEST or len({f"{point.cost:.2g}" for point in points}) < 2:
                continue  # the table says the same
            if len(devices) > 1:
                title = f"{title}: {device}"
            note = f"{device}. {_NOTE}"
            if not points[0].name:
                note += f" From the cheapest: {', '.join(point.label for point in not_dominated(points))}."
                note += " Costs are medians over tasks; a row without this cost on every task is left out."
            if any(len(point.scores) > 1 for point in points):
                note += " Vertical line: from the lowest to the highest seed."
            figures.append(Figure(title, cost_plot(title, points, x_name=x_name, y_name=y_name), note))
    return figures
