"""Simulate how often the two tests of ``harness.analysis.compare`` find a difference.

Run with: python -m tests.benchmarks.power

Without a difference, 5 % of comparisons should give p <= 0.05 (the size of a test); with one, their share is the power.
All runs share one set of examples, each with its own difficulty, and runs of one setting vary in their accuracy.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from harness.analysis.statistics import paired_t_p, paired_t_power, randomised_p
from harness.utils.console import progress


def share_found(
    *, seeds: int, examples: int, difference: float, deviation: float, trials: int, rounds: int = 199, seed: int = 0
) -> tuple[float, float, float]:
    """Return how often each test gives p <= 0.05 in simulated comparisons of two settings.

    Args:
        seeds: The number of runs of each setting.
        examples: The number of examples in the test set.
        difference: The true difference of the expected accuracies, a fraction.
        deviation: The standard deviation of the expected accuracy over the runs of a setting, a fraction.
        trials: The number of comparisons to simulate.
        rounds: The rounds of randomisation in each; 199 can give exactly 0.05. 0 skips the test over examples.
        seed: The seed of the simulation.

    Returns:
        The share found over seeds, that over examples (NaN without rounds), the deviation of the paired differences.
    """
    generator = np.random.default_rng(seed)
    by_seeds, by_examples, variances = [], [], []
    for trial in range(trials):
        difficulty = generator.uniform(0.2, 0.8, size=examples)  # (examples,)
        quality = deviation * generator.standard_normal((2, seeds, 1))  # (2, seeds, 1)
        quality += difference * np.array([-0.5, 0.5])[:, None, None]
        right = (generator.random((2, seeds, examples)) < difficulty + quality).astype(np.float64)
        a, b = right.mean(axis=2)  # (seeds,) each
        variances.append(np.var(b - a, ddof=1))
        by_seeds.append(paired_t_p(a, b) <= 0.05)
        gain = (right[1] - right[0]).mean(axis=0) / examples  # (examples,)
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.power",
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
    print("\n".join(rows))


if __name__ == "__main__":
    main()
