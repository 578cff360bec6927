"""Tests and intervals over examples, for many runs at once: all of them share the random numbers of one seed.

Each result is the same as if its runs were the only ones. One product of matrices per batch of rounds serves all runs.
The products are small, and threads that wait for each other make them several times slower if the cores are busy: they
have one thread.
"""

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from harness.analysis.statistics import Array, bootstrap, interval, randomised_p, ratio_of_sums


def paired_tests(
    counts: Array, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], *, rounds: int, seed: int
) -> list[tuple[float, tuple[float, float]]]:
    """Return p of paired approximate randomisation, and the bootstrap interval of the difference, for each pair.

    Args:
        counts: What each example adds to the two sums of each run, float64 (runs, examples, 2).
        pairs: The rows in ``counts`` of the runs of setting A and of setting B, by the same seeds.
        rounds: The rounds of randomisation and of resampling.
        seed: The seed of both.
    """
    left, right = (np.array([row for pair in pairs for row in pair[side]]) for side in (0, 1))  # (seeds of all pairs,)
    sizes = np.array([len(a) for a, _ in pairs])  # (pairs,)
    starts = np.cumsum(sizes) - sizes  # (pairs,)
    totals, flat = counts.sum(axis=1)[:, None], _flat(counts)  # (runs, 1, 2), (examples, runs * 2)

    def difference(exchanged: Array) -> Array:
        moved = _sums(exchanged.astype(np.float64), flat)  # (runs, rounds, 2)
        change = moved[right] - moved[left]  # (seeds of all pairs, rounds, 2)
        gain = ratio_of_sums(totals[right] - change) - ratio_of_sums(totals[left] + change)
        return np.asarray(np.add.reduceat(gain, starts, axis=0) / sizes[:, None])  # (pairs, rounds)

    with threadpool_limits(1):
        ps = randomised_p(difference, examples=counts.shape[1], rounds=rounds, seed=seed)  # (pairs,)
    scores = resampled_scores(counts, rounds=rounds, seed=seed)  # (runs, rounds)
    gains = ((scores[list(b)] - scores[list(a)]).mean(axis=0) for a, b in pairs)  # (rounds,) each
    return [(float(p), interval(gain)) for p, gain in zip(ps, gains, strict=True)]


def resampled_scores(counts: Array, *, rounds: int, seed: int) -> Array:
    """Return the score of each run over the same resampled examples, float (runs, rounds).

    Args:
        counts: What each example adds to the two sums of each run, float64 (runs, examples, 2).
        rounds: The rounds of resampling.
        seed: The seed of the draws.
    """
    flat = _flat(counts)  # (examples, runs * 2)

    def score(times: Array) -> Array:
        return ratio_of_sums(_sums(times, flat))  # (runs, rounds)

    with threadpool_limits(1):
        return bootstrap(score, examples=counts.shape[1], rounds=rounds, seed=seed)


def _flat(counts: Array) -> Array:
    """Return counts as a matrix, float64 (examples, runs * 2)."""
    return counts.swapaxes(0, 1).reshape(counts.shape[1], -1)


def _sums(weights: Array, flat: Array) -> Array:
    """Return weighted sums over examples, float64 (runs, rounds, 2); ``weights`` is (rounds, examples)."""
    return (weights @ flat).reshape(len(weights), -1, 2).swapaxes(0, 1)
