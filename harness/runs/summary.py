"""Print the end of a run: scores, the dev score of each epoch, and what the mix has learned."""

from collections import defaultdict
from math import nan
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.runs.record import RunRecord, read_history

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 24


def print_summary(record: RunRecord, *, folder: Path) -> None:
    """Print the scores of a finished run.

    Args:
        record: The record of the run.
        folder: The folder of its files.
    """
    with Console() as console:  # writes everything at its end, because the jobs of a sweep may share the terminal
        _print(record, folder, console)


def _print(record: RunRecord, folder: Path, console: Console) -> None:
    console.print(f"{record.task} on {record.data['name']}: {record.name} (scores in percent)", soft_wrap=True)
    table = Table()
    table.add_column("metric")
    for split in record.metrics:
        table.add_column(split, justify="right")
    for name in _shown(record):
        cells = [f"{100 * values[name]:.2f}" if name in values else "-" for values in record.metrics.values()]
        table.add_row(name, *cells, style="bold" if name == record.primary_metric else "")
    console.print(table)
    scores = read_history(folder, f"dev/{record.primary_metric}")
    if scores:
        more = ", ended by trainer.max_epochs: more may be better" if record.was_cut else ""
        console.print(
            f"dev {record.primary_metric} by epoch  {_sparkline(scores)}  "
            f"best {100 * max(scores):.2f} in epoch {record.best_epoch} of {record.epochs}{more}",
            soft_wrap=True,
        )
    if (code := record.code_length) and code["uniform_bits"]:
        console.print(
            f"code length of the training labels {code['bits']:,.0f} bits; the uniform code has "
            f"{code['uniform_bits']:,.0f} bits, so the compression is {code['compression']:.2f}",
            soft_wrap=True,
        )
    for place, weights in record.mixing["weights"].items():
        console.print(f"mix at the {place}, gamma {record.mixing['gamma'].get(place, nan):.3f}")
        for layer, weight in enumerate(weights):
            console.print(f"  layer {layer}  {'█' * round(_WIDTH * weight):<{_WIDTH}} {weight:.3f}")
    timing = defaultdict(lambda: nan, record.timing)  # somebody else's record may lack some
    if record.encoder["name"] != "none":
        console.print(
            f"encoded {timing['tokens_encoded']:,.0f} tokens in {timing['encode_s']:.1f} s "
            f"({100 * timing['cache_hit_rate']:.0f} % of sentences were already in the store)",
            soft_wrap=True,
        )
    console.print(f"trained {record.epochs} epochs in {timing['train_s']:.1f} s", soft_wrap=True)
    console.print(f"record: {folder / 'record.json'}", soft_wrap=True, highlight=False)


def _shown(record: RunRecord) -> list[str]:
    """Return the names of the overall metrics, and of the primary metric of each class."""
    names = dict.fromkeys(name for values in record.metrics.values() for name in values)
    return [name for name in names if "/" not in name or name.endswith(f"/{record.primary_metric}")]


def _sparkline(values: list[float]) -> str:
    """Return one bar per value; the lowest value has the smallest bar."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_BARS[round((value - low) / span * (len(_BARS) - 1))] for value in values)
