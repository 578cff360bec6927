"""``python -m harness power``: how often the tests of ``compare`` find a difference, by simulation."""

import argparse
from collections.abc import Sequence

from harness.analysis.power import share_found
from harness.analysis.statistics import paired_t_power
from harness.errors import ConfigError
from harness.utils.console import exit_status_of, progress


def main(arguments: Sequence[str]) -> int:
    """Run the command with the words after its name; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness power",
        description="Simulate how often the tests of 'compare' find a true difference, and how often they report one "
        "where there is none. Print a Markdown table; differences are in points of accuracy.",
    )
    parser.add_argument("--examples", type=int, default=1000, help="the size of the test set; default: 1000")
    parser.add_argument("--trials", type=int, default=1000, help="simulated comparisons per row; default: 1000")
    parser.add_argument(
        "--deviations",
        type=float,
        nargs="+",
        default=[0.0, 1.0, 2.0],
        metavar="POINTS",
        help="standard deviations of the true accuracy over the runs of a setting; default: 0 1 2",
    )
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _simulate(chosen))


def _simulate(chosen: argparse.Namespace) -> None:
    if min(chosen.examples, chosen.trials) < 1:
        raise ConfigError("--examples and --trials: expected 1 or more")
    rows = [
        "| deviation of runs | true difference | seeds | found over seeds | by theory | found over examples |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    cells = [(d, points, n) for d in chosen.deviations for points in (0.0, 1.0, 2.0, 4.0) for n in (3, 5, 10)]
    for deviation, points, n in progress(cells, "simulating", total=len(cells)):
        over_seeds, over_examples, spread = share_found(
            seeds=n, examples=chosen.examples, difference=points / 100, deviation=deviation / 100, trials=chosen.trials
        )
        theory = paired_t_power(points / 100 / spread, n)
        shares = " | ".join(f"{100 * share:.1f} %" for share in (over_seeds, theory, over_examples))
        rows.append(f"| {deviation:.1f} | {points:.1f} | {n} | {shares} |")
    print("\n".join(rows))  # noqa: T201
