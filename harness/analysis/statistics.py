"""Statistics of scores, on arrays: intervals over examples, paired tests, correction for many tests, and power.

Two kinds of chance are kept apart. Over *examples*: how would these trained models score on another test set?
Over *seeds*: how would these settings score if they were trained again? Only the second compares settings.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from harness.utils.console import progress

Array = np.ndarray
_ROUNDS_IN_MEMORY = 100
_LEVEL = 0.95
ROUNDING = 1e-12  # differences of scores that vary less than this are equal


def ratio_of_sums(sums: Array) -> Array:
    """Return the first of two sums divided by the second, 0 where the second is 0.

    Args:
        sums: float (..., 2).

    Returns:
        float (...).
    """
    numerator, denominator = sums[..., 0], sums[..., 1]
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def randomised_p(difference: Callable[[Array], Array], *, examples: int, rounds: int, seed: int) -> Array:
    """Return the two-sided p-values of paired approximate randomisation, float (...).

    In each round, the two sides exchange their predictions on each example with probability one half. p is the share
    of rounds whose difference is at least as large as the observed one; the observed one counts as one more round.
    This is not scipy's ``permutation_test``, because that draws otherwise and recorded p-values would change.

    Args:
        difference: Maps bool (rounds, examples), True where predictions are exchanged, to float (..., rounds).
        examples: The number of examples.
        rounds: The number of rounds, 1 or more; p cannot be less than 1 / (rounds + 1).
        seed: The seed of the exchanges.

    Source: Noreen 1989, "Computer-Intensive Methods for Testing Hypotheses"; Yeh 2000 (COLING), section 3.
    """
    observed = abs(difference(np.zeros((1, examples), dtype=bool)))  # (..., 1)
    generator = np.random.default_rng(seed)
    extreme = np.zeros(observed.shape[:-1], dtype=int)  # (...)
    for count in _batches(rounds, "randomising"):
        exchanged = generator.random((count, examples)) < 0.5  # (rounds, examples)
        extreme += (abs(difference(exchanged)) >= observed - 1e-12).sum(axis=-1)  # (...)
    return np.asarray((extreme + 1) / (rounds + 1))


def bootstrap(score: Callable[[Array], Array], *, examples: int, rounds: int, seed: int) -> Array:
    """Return a score over resampled examples, float (..., rounds).

    Args:
        score: Maps how often each example was drawn, float (rounds, examples), to float (..., rounds).
        examples: The number of examples, which is also the number of draws in each round.
        rounds: The number of rounds, 1 or more.
        seed: The seed of the draws.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 6.
    """
    generator = np.random.default_rng(seed)
    scores = []
    for count in _batches(rounds, "resampling"):
        drawn = generator.integers(examples, size=(count, examples))  # (rounds, examples)
        drawn += examples * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * examples).reshape(count, examples)  # (rounds, examples)
        scores.append(score(times.astype(np.float64)))
    return np.concatenate(scores, axis=-1)


def interval(samples: Array) -> tuple[float, float]:
    """Return the 95 % percentile interval of samples, float (rounds,)."""
    low, high = np.quantile(samples, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def holm(ps: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number; NaN stays NaN and does not count.

    scipy has no such function, and statsmodels would be a large dependency for six lines.

    Source: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    adjusted = np.array(ps, dtype=float)
    tested = np.flatnonzero(~np.isnan(adjusted))
    order = tested[np.argsort(adjusted[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * adjusted[order]), 1.0)
    return [float(p) for p in adjusted]


def paired_t_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the two-sided p-value of a paired t-test.

    It is NaN with fewer than two pairs, or if all pairs differ by the same amount: as the differences do not vary,
    nothing is known about their spread, and the formula would give 0 even for two pairs.

    Args:
        a: The scores of one side.
        b: The scores of the other side, in the same order.
    """
    from scipy.stats import ttest_rel

    if len(a) < 2 or np.ptp(np.subtract(a, b)) < ROUNDING:
        return float("nan")
    return float(ttest_rel(a, b).pvalue)


def is_tested(p: float, a: Sequence[float], b: Sequence[float]) -> bool:
    """Return whether two sides are tested over seeds, or need no test because their scores are equal with each seed.

    Args:
        p: The p-value of their paired t-test.
        a: The scores of one side.
        b: The scores of the other side, in the same order.
    """
    return not np.isnan(p) or (len(a) > 1 and list(a) == list(b))


def hedges_g(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the mean of b minus that of a, in pooled standard deviations, corrected for few values.

    Args:
        a: The scores of one side.
        b: The scores of the other side. The result is NaN with fewer than two on a side, or if they do not vary.

    Source: Hedges 1981, "Distribution Theory for Glass's Estimator of Effect Size": Cohen's d times 1 - 3 / (4 df - 1).
    """
    degrees = len(a) + len(b) - 2
    if min(len(a), len(b)) < 2:
        return float("nan")
    pooled = ((len(a) - 1) * np.var(a, ddof=1) + (len(b) - 1) * np.var(b, ddof=1)) / degrees
    if np.sqrt(pooled) < ROUNDING:
        return float("nan")
    return float((np.mean(b) - np.mean(a)) / np.sqrt(pooled) * (1 - 3 / (4 * degrees - 1)))


def paired_t_power(effect: float, pairs: int) -> float:
    """Return how often a two-sided paired t-test at 0.05 finds a difference; scipy has no formula for it.

    Args:
        effect: The true difference, in standard deviations of the paired differences.
        pairs: The number of pairs, 2 or more.
    """
    from scipy.stats import nct, t

    degrees, shift = pairs - 1, effect * np.sqrt(pairs)
    critical = t.ppf(1 - 0.05 / 2, degrees)
    return float(sum(nct.sf(critical, degrees, side) for side in (shift, -shift)))


def detectable_difference(deviation: float, pairs: int) -> float:
    """Return the true difference that a paired t-test at 0.05 finds four times in five.

    Args:
        deviation: The standard deviation of the paired differences; the result has the same unit.
        pairs: The number of pairs. The result is NaN with fewer than two, or without any deviation.
    """
    return _detectable_effect(pairs) * deviation if pairs > 1 and deviation >= ROUNDING else float("nan")


@cache
def _detectable_effect(pairs: int) -> float:
    """Return the effect that a paired t-test at 0.05 finds four times in five."""
    from scipy.optimize import brentq

    enough = 1.0
    while paired_t_power(enough, pairs) < 0.8:
        enough *= 2
    return float(brentq(lambda effect: paired_t_power(effect, pairs) - 0.8, 0.0, enough))


def _batches(rounds: int, what: str) -> Iterator[int]:
    """Yield numbers of rounds that fit into memory together, with a progress bar."""
    starts = range(0, rounds, _ROUNDS_IN_MEMORY)
    for start in progress(starts, what, total=len(starts)):
        yield min(_ROUNDS_IN_MEMORY, rounds - start)
