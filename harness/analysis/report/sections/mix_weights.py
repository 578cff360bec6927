"""The section ``Mix weights``: what learned mixes weigh the layers with."""

import math

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.axis import Scale
from harness.analysis.report.parts import Figure, Part, Wanted
from harness.analysis.report.settings import Setting
from harness.analysis.report.svg import Series, line_chart
from harness.analysis.report.tables import in_order

_MOST = 24


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Draw the weight of each layer in each learned mix.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    series = []
    for one in in_order(analysis.block, analysis.split, wanted.sort):
        places = one.record.mixing.get("weights", {})
        for place in places:
            weights = learned_weights(one, place)
            if weights:
                name = f"{one.number}  {one.label}" + (f": at the {place}" if len(places) > 1 else "")
                columns = [list(column) for column in zip(*weights, strict=True)]
                series.append(Series(name, range(len(columns)), columns))
    if not series:
        return None
    title = "Mix weights"
    x, y = Scale("layer (0: without context)", "whole"), Scale("softmax weight of the layer")
    note = "Learned mixes only. Line: mean over seeds. Band: from the lowest seed to the highest."
    if len(series) > _MOST:
        note += f" The first {_MOST} of {len(series)} mixes."
    return Part(title, [Figure(title, line_chart(title, series[:_MOST], x=x, y=y), note)])


def learned_weights(setting: Setting, place: str) -> list[list[float]]:
    """Return the weights of the layers in each run; nothing if they were not learned, or are damaged.

    Fixed mixes have equal weights, or a single layer.

    Args:
        setting: The setting.
        place: Where the mix enters the head, ``input`` or ``output``.
    """
    runs = [list(run.record.mixing.get("weights", {}).get(place, ())) for run in setting.runs]
    lengths = set(map(len, runs))
    if len(lengths) != 1 or lengths <= {0, 1} or not all(math.isfinite(weight) for run in runs for weight in run):
        return []
    fixed = all(len(set(run)) == 1 or set(run) <= {0.0, 1.0} for run in runs)
    return [] if fixed else runs
