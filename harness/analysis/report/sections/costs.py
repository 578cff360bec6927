"""The section ``Cost``: what each setting costs, and plots of its score against the most important costs."""

from collections.abc import Mapping

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.cost_plot import short_number
from harness.analysis.report.costs import Priced, cost_figures, costs_of
from harness.analysis.report.parts import Part, Wanted
from harness.analysis.report.tables import Table, in_order, open_and_folded, spread
from harness.runs.cost import cost_of

_COLUMNS = {
    "encoder_parameters": "encoder weights",
    "tokens_per_s": "tokens/s encoded",
    "bytes_per_token": "bytes per token",
    "head_parameters": "head weights",
    "epoch_s": "s per epoch",
    "peak_memory_bytes": "peak memory, bytes",
    "peak_gpu_memory_bytes": "peak GPU memory, bytes",
}
_NOTE = (
    "Costs are medians over runs; k, M and G are thousands, millions and billions. ± after a score: the standard "
    "deviation over seeds. Encoding: the median of five batches of words that were met before. Bytes per token: in the "
    "feature store. An epoch includes the scoring of dev. Memory is of the whole process. Times are too long if the "
    "machine did other work."
)


def section(analysis: Analysis, wanted: Wanted) -> Part | None:
    """Return the costs of each setting on each device; None if no run has any.

    Args:
        analysis: The statistics of the block.
        wanted: What the reader asked for.
    """
    block, split = analysis.block, analysis.split
    devices: dict[str, list[Priced]] = {}
    rows = []
    for one in in_order(block, split, wanted.sort):
        for device, costs in costs_of(one).items():
            records = [run.record for run in one.runs if cost_of(run.record)["device"] == device]
            scores = [record.metrics[split][block.metric] for record in records]
            percents = [100 * score for score in scores]
            devices.setdefault(device, []).append(Priced(str(one.number), one.label, percents, costs))
            rows.append((str(one.number), one.label, spread(scores), *_cells(costs), device))
    if not rows:
        return None
    columns = ("#", "setting", split, *_COLUMNS.values(), "device")
    table = Table("What each setting costs", columns, rows, text_columns=2, note=_NOTE, main=2)
    runs = [run.record for one in block.settings for run in one.runs]
    without = sum(not record.cost for record in runs)
    notes = [f"Left out: {without} of {len(runs)} runs, which have no recorded costs."] if without else []
    figures = cost_figures(devices, y_name=f"{split} {block.metric}, percent")
    return Part("Cost", figures, *open_and_folded([table.without_empty_columns()]), notes=notes)


def _cells(costs: Mapping[str, float]) -> list[str]:
    """Return the cell of each cost; an empty one if it is unknown."""
    return [short_number(costs[name]) if name in costs else "" for name in _COLUMNS]
