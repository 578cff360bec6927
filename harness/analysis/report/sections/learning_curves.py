"""The section ``Learning curves``: the dev score by epoch."""

import logging

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.axis import Scale
from harness.analysis.report.parts import Figure, Part, Wanted
from harness.analysis.report.svg import Series, line_chart
from harness.analysis.report.tables import in_order
from harness.errors import DataFormatError
from harness.runs.record import read_history

log = logging.getLogger(__name__)

_MOST = 24


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Draw the dev score of each setting by epoch, up to the last epoch that all of its runs reached.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    block, series = analysis.block, []
    for one in in_order(block, analysis.split, wanted.sort):
        try:
            courses = [read_history(run.folder, f"dev/{block.metric}") for run in one.runs]
        except DataFormatError as error:
            log.warning("no learning curve of setting %d: %s", one.number, error)
            continue
        epochs = min(map(len, courses))
        if epochs:
            columns = [[100 * course[i] for course in courses] for i in range(epochs)]
            series.append(Series(f"{one.number}  {one.label}", range(1, epochs + 1), columns))
    if not series:
        return None
    title = "Learning curves"
    x, y = Scale("epoch", "whole"), Scale(f"dev {block.metric}, percent")
    note = (
        "Line: mean over seeds, up to the last epoch that all runs reached. Band: from the lowest seed to the highest."
    )
    if len(series) > _MOST:
        note += f" The first {_MOST} of {len(series)} settings."
    return Part(title, [Figure(title, line_chart(title, series[:_MOST], x=x, y=y), note)])
