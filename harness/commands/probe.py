"""``python -m harness probe DIR``: what the probes and the mixes of finished runs say about layers."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.layer_use import CAVEAT
from harness.analysis.probing import expected_layers, layer_uses, probes
from harness.analysis.report.axes import natural
from harness.errors import DataFormatError
from harness.runs.record import RunRecord, readable_record
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
    read = (readable_record(path) for path in sorted(chosen.folder.glob("**/record.json")))
    records = [record for record in read if record is not None and record.status == "ok"]
    if not records:
        raise DataFormatError(f"{chosen.folder}: no finished run in it; give a folder of results, such as results/pos")
    rows = [
        [*_of(one.example), *one.cells("-")]
        for one in sorted(probes(records), key=lambda one: [natural(cell) for cell in _of(one.example)])
    ]
    if not rows:
        raise DataFormatError(f"{chosen.folder}: only runs of control tasks; run the task, too, without task.control")
    _print(["score", "control", "selectivity", "code (kbit)", "compression"], rows)
    uses = [
        [
            *_of(run),
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
        [*_of(run), " ".join(f"{100 * gain:+.2f}" for gain in found.gains), f"{found.raw:.2f}", f"{found.clipped:.2f}"]
        for run, found in expected_layers(records)
    ]
    if expected:
        _print(["gain of each layer from 1", "expected layer", "without negative gains"], expected)


def _of(run: RunRecord) -> list[str]:
    """Return the cells that say which setting a row is about."""
    head = str(run.config["task"].get("head", ""))
    fraction = run.determining.get("data.fraction")
    data = run.data["name"] if fraction is None else f"{run.data['name']} ({100 * fraction:g} %)"
    return [run.task, data, head, run.name.removesuffix(f"-s{run.seed}")]


def _print(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    table = [["task", "data", "head", "vectors", *columns], *rows]
    table.insert(1, ["---"] * len(table[0]))
    print("\n".join(f"| {' | '.join(row)} |" for row in table) + "\n")  # noqa: T201
