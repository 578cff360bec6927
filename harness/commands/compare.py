"""``python -m harness compare A B``: paired tests of two settings on the same examples and seeds."""

import argparse
import glob
import logging
import math
import shlex
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analysis.compare import Comparison, Run, compare, read_runs
from harness.analysis.report.axes import chooser, options_of
from harness.analysis.report.epochs import note_on_epochs
from harness.analysis.report.printable import print_lines
from harness.analysis.report.settings import gathered, read_records
from harness.errors import ConfigError, DataFormatError
from harness.runs.record import COUNTS, RunRecord, readable_record
from harness.utils.console import CommandParser, exit_status_of

log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return the exit status."""
    parser = CommandParser(
        prog="python -m harness compare",
        description="Test whether two settings differ, on the same examples and seeds.",
    )
    what = "a setting: its number in `report DIR --list` (with the same --only), or its runs' folders, a glob in quotes"
    parser.add_argument("a", help=what)
    parser.add_argument("b", help="the other setting")
    folder = "the folder of the numbered settings (default: results)"
    parser.add_argument("--dir", type=Path, default=Path("results"), metavar="DIR", help=folder)
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY=VALUE", help="use only runs with these options")
    parser.add_argument("--split", default="test", choices=("dev", "test"), help="the split; default: test")
    parser.add_argument("--rounds", type=int, default=10_000, help="the number of random rounds; default: 10,000")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the random rounds; default: 0")
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _compare(chosen))


def _compare(chosen: argparse.Namespace) -> None:
    if chosen.rounds < 1:
        raise ConfigError(f"--rounds is {chosen.rounds}; expected 1 or more")
    if chosen.a.isdecimal() and chosen.b.isdecimal():
        sides = _numbered(chosen)
    else:
        sides = [_records_of(pattern) for pattern in (chosen.a, chosen.b)]
    known = {key for side in sides for record in side.values() for key in _options_of(record)}
    chooser(chosen.only, known)  # refuses an option that neither side has
    a, b = (_runs_of(side, chosen) for side in sides)
    result = compare(a, b, rounds=chosen.rounds, seed=chosen.seed)
    for label, scores in (("A", result.a), ("B", result.b)):
        listed = " ".join(f"{100 * score:.2f}" for score in scores)
        print(f"{label}: mean {100 * statistics.mean(scores):.2f}; seeds {listed}")  # noqa: T201
    seeds = ", ".join(map(str, result.seeds))
    print(f"B - A: {100 * result.difference:+.2f} {a[0].record.primary_metric} on {chosen.split}; seeds: {seeds}")  # noqa: T201
    print(f"over seeds: {_over_seeds(result)}")  # noqa: T201
    print(f"over examples: {_over_examples(result, chosen.rounds)}")  # noqa: T201
    if note := note_on_epochs({side: [run.record for run in runs] for side, runs in (("A", a), ("B", b))}):
        print(note)  # noqa: T201


def _over_seeds(result: Comparison) -> str:
    """Say whether the settings differ if they are trained again."""
    if len(result.seeds) < 2:
        return "no test with one seed; run both settings with more, for example -m seed=1,2,3"
    if math.isnan(result.p_seeds):
        return "no test, because the difference is the same with every seed"
    parts = [f"{_p(result.p_seeds)} (paired t-test)"]
    if not math.isnan(result.effect):
        parts.append(f"Hedges' g {result.effect:.2f}")
    parts.append(f"with as many seeds, a true difference of {100 * result.detectable:.2f} is found four times in five")
    return "; ".join(parts)


def _over_examples(result: Comparison, rounds: int) -> str:
    """Say whether these trained models differ on other examples."""
    if math.isnan(result.p_examples):
        return f"no test, because runs have no {COUNTS}: the task has no counts per example, or the runs are older"
    low, high = (100 * end for end in result.interval)
    test = f"{_p(result.p_examples)} (paired approximate randomisation, {rounds} rounds)"
    return f"{test}; 95 % interval {low:+.2f} to {high:+.2f} (paired bootstrap)"


def _p(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def _numbered(chosen: argparse.Namespace) -> list[dict[Path, RunRecord]]:
    """Return the records of two settings by their folders; the settings are known by their numbers."""
    results = gathered(read_records(chosen.dir), split=chosen.split, only=chosen.only)
    settings = {str(one.number): one for one in results.settings}
    for number in (chosen.a, chosen.b):
        if number not in settings:
            only = f" --only {shlex.join(chosen.only)}" if chosen.only else ""
            listed = f"python -m harness report {shlex.quote(str(chosen.dir))} --list{only}"
            raise ConfigError(f"{chosen.dir} has no setting {number}; it has 1 to {len(settings)}; see {listed}")
    print_lines(results.notes)
    print_lines(f"{side}: setting {n}, {settings[n].label}" for side, n in (("A", chosen.a), ("B", chosen.b)))
    return [{run.folder: run.record for run in settings[number].runs} for number in (chosen.a, chosen.b)]


def _options_of(record: RunRecord) -> dict[str, Any]:
    """Return the options that a run has."""
    return {key: value for key, value in options_of(record).items() if value is not None}


def _records_of(pattern: str) -> dict[Path, RunRecord]:
    """Read the records of the runs whose folders match a glob; a damaged record is left out, and named."""
    found = {}
    for match in sorted(glob.glob(f"{pattern}/record.json")):  # noqa: PTH207
        if (record := readable_record(Path(match))) is not None:
            found[Path(match).parent] = record
    if not found:
        what = "no folder with a readable record.json; give the folder of a run, or a glob in quotes"
        raise DataFormatError(f"{pattern}: {what}")
    return found


def _runs_of(side: dict[Path, RunRecord], chosen: argparse.Namespace) -> list[Run]:
    """Read the runs that have every value in ``--only``. An option that no run of the side has is no condition."""
    options = {folder: _options_of(record) for folder, record in side.items()}
    own = {key for known in options.values() for key in known}
    is_chosen = chooser([word for word in chosen.only if word.partition("=")[0] in own], own)
    folders = [folder for folder in side if is_chosen(options[folder])]
    if not folders:
        raise DataFormatError(f"{next(iter(side)).parent}: no run with {' '.join(chosen.only)}; leave out --only")
    runs, left_out = read_runs({folder: side[folder] for folder in folders}, chosen.split)
    for reason in left_out:
        log.warning("left out: %s", reason)
    if not runs:
        raise DataFormatError(f"{next(iter(side)).parent}: no run can be compared; see the lines above")
    return runs
