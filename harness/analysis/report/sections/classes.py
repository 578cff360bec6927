"""The section ``Classes``: the score of each class."""

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.parts import Part, Wanted
from harness.analysis.report.settings import CONFUSION, Block, Setting
from harness.analysis.report.tables import Table, spread

_MOST_SETTINGS = 8


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Return the primary metric of each class, or F1 if there is none; None for a task without classes.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    del wanted
    block, split = analysis.block, analysis.split
    metric = block.metric if _classes(block, split, block.metric) else "f1"
    settings = chosen_settings(analysis, _MOST_SETTINGS)
    rows = [
        (name, *(spread(one.scores(split, f"{name}/{metric}")) for one in settings))
        for name in _classes(block, split, metric)
    ]
    if not rows:
        return None
    columns = ("class", *(f"# {one.number}" for one in settings))
    note = "; ".join(f"# {one.number}: {one.label}" for one in settings) + "."
    if len(settings) < len(block.settings):
        note += f" These {len(settings)} of {len(block.settings)} settings; all are in report.csv."
    return Part("Classes", tables=[Table(f"Classes: {metric} on {split}", columns, rows, note=note)])


def chosen_settings(analysis: Analysis, most: int) -> list[Setting]:
    """Return the settings of a block if they are few; otherwise the baselines, the best one and its ties.

    Args:
        analysis: The statistics of the block.
        most: How many are shown.
    """
    if len(analysis.block.settings) <= most:
        return list(analysis.block.settings)
    special = [analysis.best, *analysis.baselines[:1], *analysis.ties]
    chosen = {one.number for one in special[:most]}
    return [one for one in analysis.block.settings if one.number in chosen]


def _classes(block: Block, split: str, metric: str) -> list[str]:
    """Return the classes that have a metric of their own, in the order of the records."""
    names = dict.fromkeys(name for setting in block.settings for name in setting.metrics(split))
    parts = (name.rpartition("/") for name in names if not name.startswith(f"{CONFUSION}/"))
    return [head for head, _, tail in parts if head and tail == metric]
