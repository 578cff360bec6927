"""The section ``Published``: scores of other systems on the same examples."""

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.parts import Part, Wanted
from harness.analysis.report.tables import SPLITS, Table

_NOTE = "The examples are the same. The settings and the training data of these systems can differ from ours."


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Return the published scores of other systems on the same examples; None if none are known.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for, with the published numbers.
    """
    rows = [
        (number.system, split, number.metric, str(number), number.source)
        for split in SPLITS
        for number in wanted.numbers.of_data(analysis.block.settings[0].record, split)
    ]
    columns = ("system", "split", "metric", "score", "source")
    table = Table("Published on the same examples", columns, rows, text_columns=5, note=_NOTE)
    return Part("Published", tables=[table]) if rows else None
