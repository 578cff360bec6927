"""``python -m harness compare A B``: paired tests of two settings on the same examples and seeds."""

import argparse
import glob
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.compare import Run, compare, read_run
from harness.config.instantiate import build
from harness.errors import ConfigError, DataFormatError
from harness.protocols import Task
from harness.runs.record import flattened, read_record
from harness.utils.console import CommandParser, exit_status_of


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return the exit status."""
    parser = CommandParser(
        prog="python -m harness compare",
        description="Test whether two settings differ, on the same examples and seeds.",
    )
    parser.add_argument("a", help="the folders of the runs of one setting: a glob, in quotes")
    parser.add_argument("b", help="the folders of the runs of the other setting")
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY=VALUE", help="use only runs with these values")
    parser.add_argument("--split", default="test", choices=("dev", "test"), help="the split; default: test")
    parser.add_argument("--rounds", type=int, default=1000, help="the number of random rounds; default: 1000")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the random rounds; default: 0")
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _compare(chosen))


def _compare(chosen: argparse.Namespace) -> None:
    if chosen.rounds < 1:
        raise ConfigError(f"--rounds is {chosen.rounds}; expected 1 or more")
    a, b = (_runs_of(pattern, chosen.split, only=chosen.only) for pattern in (chosen.a, chosen.b))
    config = a[0].record.config
    task: Task = build(config["task"], where="task", plugins=config.get("plugins", ()))
    result = compare(task, a, b, rounds=chosen.rounds, seed=chosen.seed)
    for label, scores in (("A", result.a), ("B", result.b)):
        listed = " ".join(f"{100 * score:.2f}" for score in scores)
        print(f"{label}: mean {100 * statistics.mean(scores):.2f}; seeds {listed}")  # noqa: T201
    print(  # noqa: T201
        f"B - A: {100 * result.difference:+.2f} {task.primary_metric} on {chosen.split}, {len(result.seeds)} seeds, "
        f"p = {result.p_examples:.4f} over examples (paired approximate randomisation, {chosen.rounds} rounds), "
        f"p = {result.p_seeds:.4f} over seeds (paired t-test)"
    )
    low, high = result.interval
    if not math.isnan(low):
        print(f"95 % interval over examples: {100 * low:+.2f} to {100 * high:+.2f} (paired bootstrap)")  # noqa: T201
    if len(result.seeds) > 1:
        print(  # noqa: T201
            f"Hedges' g over seeds: {result.effect:.2f}; with as many seeds, a true difference of "
            f"{100 * result.detectable:.2f} is found four times in five"
        )


def _runs_of(pattern: str, split: str, *, only: Sequence[str]) -> list[Run]:
    """Read the runs whose folders match a glob and whose config has all values in ``only``, or lacks their keys."""
    folders = sorted(Path(match).parent for match in glob.glob(f"{pattern}/record.json"))  # noqa: PTH207
    wanted = [tuple(item.partition("=")[::2]) for item in only]
    configs = {folder: flattened(read_record(folder / "record.json").config) for folder in folders}
    folders = [f for f in folders if all(str(configs[f].get(key, value)) == value for key, value in wanted)]
    if not folders:
        which = f" with {' '.join(only)}" if only else ""
        raise DataFormatError(f"{pattern}: no folder of a run{which}; give the folder of a run, or a glob in quotes")
    return [read_run(folder, split) for folder in folders]
