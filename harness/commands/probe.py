"""``python -m harness probe DIR``: what the probes and the mixes of finished runs say about layers."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.layer_use import CAVEAT
from harness.analysis.probing import expected_layers, layer_uses, probes
from harness.analysis.report.printable import print_lines
from harness.analysis.report.settings import Block, Setting, gathered, read_records
from harness.errors import DataFormatError
from harness.utils.console import CommandParser, exit_status_of


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return the exit status."""
    parser = CommandParser(
        prog="python -m harness probe",
        description="Show what finished runs say about layers: test scores in percent, control tasks and selectivity, "
        "code lengths, the weights of learned mixes, and expected layers. ± is half of a 95 % interval over seeds.",
        epilog="experiment=probe and experiment=cumulative make such runs.",
    )
    parser.add_argument("folder", type=Path, help="a folder of results, such as results/pos")
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _show(chosen))


def _show(chosen: argparse.Namespace) -> None:
    """Print what the runs of a folder say; settings have their numbers and names in ``report --list``."""
    results = gathered(read_records(chosen.folder))
    places, records = results.places, results.records
    if not records:
        raise DataFormatError(f"{chosen.folder}: no finished run in it; give a folder of results, such as results/pos")
    found = sorted(probes(records), key=lambda one: places[one.example.identity][1].number)
    if not found:
        raise DataFormatError(f"{chosen.folder}: only runs of control tasks; run the task, too, without task.control")
    rows = [[*_of(places[one.example.identity]), *one.cells("-")] for one in found]
    _print(["score", "control", "selectivity", "code (kbit)", "compression"], rows)
    print("± is half of a 95 % interval over seeds.\n")  # noqa: T201
    uses = [
        [
            *_of(places[run.identity]),
            place,
            ", ".join(one.text(3) for one in use.weights),
            use.centre.text(),
            use.divergence.text(3),
        ]
        for run, place, use in layer_uses(records)
    ]
    if uses:
        _print(["place", "weights of the layers", "centre of gravity", "KL from uniform (bits)"], uses)
        print(f"{CAVEAT}\n")  # noqa: T201
    expected = [
        [
            *_of(places[run.identity], without="layer"),
            " ".join(f"{100 * gain:+.2f}" for gain in found.gains),
            *("-" if math.isnan(layer) else f"{layer:.2f}" for layer in (found.raw, found.clipped)),
        ]
        for run, found in expected_layers(records)
    ]
    if expected:
        _print(["gain of each layer from 1", "expected layer", "without negative gains"], expected)
    print_lines(results.notes)


def _of(place: tuple[Block, Setting], *, without: str = "") -> list[str]:
    """Return the cells that say which setting a row is about, or which settings that differ only in one axis."""
    block, one = place
    if not without:
        return [str(one.number), block.task, block.data, one.label]
    return ["", block.task, block.data, one.label_on(axis for axis in one.values if axis != without)]


def _print(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    table = [["#", "task", "data", "setting", *columns], *rows]
    table.insert(1, ["---"] * len(table[0]))
    print("\n".join(f"| {' | '.join(row)} |" for row in table) + "\n")  # noqa: T201
