"""``python -m harness.analysis.power_simulation``: how often the two tests of ``harness.analysis.compare`` find a difference, by simulation.

Where there is none (two sets of seeds of one setting), 5 % of comparisons should come out below 0.05: the size of a
test. Where there is one, the share is its power. Runs are simulated as a set of examples, each with a difficulty of its
own that all runs share, and runs that differ in how good they are, as trained models do.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from harness.analysis.statistics import Array, paired_t_p, paired_t_power, randomised_p
from harness.errors import ConfigError
from harness.utils.console import exit_status_of, progress


def simulated_runs(
    generator: np.random.Generator, *, seeds: int, examples: int, difference: float, deviation: float
) -> Array:
    """Return what two settings get right, bool (2, seeds, examples).

    Args:
        generator: draws.
        seeds: runs a setting.
        examples: of the test set.
        difference: true difference of the expected accuracies, a fraction.
        deviation: standard deviation, over runs of a setting, of the expected accuracy.
    """
    difficulty = generator.uniform(0.2, 0.8, size=examples)  # (examples,)
    quality = deviation * generator.standard_normal((2, seeds, 1)) + difference * np.array([-0.5, 0.5])[:, None, None]
    return generator.random((2, seeds, examples)) < difficulty + quality


def found(
    *, seeds: int, examples: int, difference: float, deviation: float, trials: int, rounds: int = 199, seed: int = 0
) -> tuple[float, float, float]:
    """Return how often p is at most 0.05, over seeds and over examples, and the variation behind it.

    Args:
        seeds, examples, difference, deviation: see ``simulated_runs``.
        trials: comparisons that are simulated.
        rounds: of randomisation in each; 199 can give exactly 0.05. 0: the test over examples is left out (NaN).
        seed: of everything.

    Returns:
        share found over seeds, share found over examples, standard deviation of the paired differences.
    """
    generator = np.random.default_rng(seed)
    by_seeds, by_examples, variances = [], [], []
    for trial in range(trials):
        runs = simulated_runs(
            generator, seeds=seeds, examples=examples, difference=difference, deviation=deviation
        ).astype(np.float64)
        a, b = runs.mean(axis=2)  # (seeds,) each
        variances.append(np.var(b - a, ddof=1))
        by_seeds.append(paired_t_p(a, b) <= 0.05)
        gain = (runs[1] - runs[0]).mean(axis=0) / examples  # (examples,)
        if rounds:
            p = randomised_p(
                lambda exchanged, gain=gain: gain.sum() - 2 * (exchanged @ gain),  # type: ignore[misc]
                examples=examples,
                rounds=rounds,
                seed=trial,
            )
            by_examples.append(p <= 0.05)
    over_examples = float(np.mean(by_examples)) if rounds else float("nan")
    return float(np.mean(by_seeds)), over_examples, float(np.sqrt(np.mean(variances)))


def table(*, examples: int, deviations: Sequence[float], trials: int) -> str:
    """Return a Markdown table of sizes and powers; differences and deviations are in points."""
    lines = [
        "| runs of a setting vary by | true difference | seeds | found over seeds | by theory | found over examples |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    cells = [(d, points, n) for d in deviations for points in (0.0, 1.0, 2.0, 4.0) for n in (3, 5, 10)]
    for deviation, points, n in progress(cells, "simulating", total=len(cells)):
        over_seeds, over_examples, spread = found(
            seeds=n, examples=examples, difference=points / 100, deviation=deviation / 100, trials=trials
        )
        theory = paired_t_power(points / 100 / spread, n)
        shares = " | ".join(f"{100 * share:.1f} %" for share in (over_seeds, theory, over_examples))
        lines.append(f"| {deviation:.1f} | {points:.1f} | {n} | {shares} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.analysis.power_simulation", description=__doc__.split(": ", 1)[1]
    )
    parser.add_argument("--examples", type=int, default=1000, help="of the test set; default: 1000")
    parser.add_argument("--trials", type=int, default=1000, help="simulated comparisons a line; default: 1000")
    parser.add_argument(
        "--deviations",
        type=float,
        nargs="+",
        default=[0.0, 1.0, 2.0],
        metavar="POINTS",
        help="standard deviation of the runs of a setting, beyond chance over examples; default: 0 1 2",
    )
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _run(chosen))


def _run(chosen: argparse.Namespace) -> None:
    if min(chosen.examples, chosen.trials) < 1:
        raise ConfigError("--examples and --trials: expected 1 or more")
    print(table(examples=chosen.examples, deviations=chosen.deviations, trials=chosen.trials))  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
