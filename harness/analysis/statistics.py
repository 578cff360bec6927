"""Statistics of scores, on arrays alone: intervals over examples, paired tests, many tests at once, their power.

Two kinds of chance are kept apart. Over *examples*: these trained models, had the test set been another sample.
Over *seeds*: these settings, had they been trained again. A difference between settings is a matter of the second.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from harness.utils.console import progress

Array = np.ndarray
_AT_ONCE = 100  # rounds


def randomised_p(difference: Callable[[Array], Array], *, examples: int, rounds: int, seed: int) -> float:
    """Return the two-sided p of paired approximate randomisation.

    In each round, every example's predictions are exchanged between the two sides with probability one half. p is the
    share of rounds whose difference is at least as large as the one observed, that one counted in.

    Args:
        difference: maps bool (rounds, examples), True where predictions are exchanged, to float (rounds,).
        examples: how many.
        rounds: how many, 1 or more; p cannot be less than 1 / (rounds + 1).
        seed: of the exchanges.

    Source: Noreen 1989, "Computer-Intensive Methods for Testing Hypotheses"; Yeh 2000 (COLING), section 3.
    """
    observed = abs(difference(np.zeros((1, examples), dtype=bool))[0])
    generator = np.random.default_rng(seed)
    extreme = 0
    for count in _portions(rounds, "randomising"):
        exchanged = generator.random((count, examples)) < 0.5  # (rounds, examples)
        extreme += int((abs(difference(exchanged)) >= observed - 1e-12).sum())
    return (extreme + 1) / (rounds + 1)


def bootstrap(score: Callable[[Array], Array], *, examples: int, rounds: int, seed: int) -> Array:
    """Return a score over resampled examples, float (..., rounds).

    Args:
        score: maps how often each example was drawn, float (rounds, examples), to float (..., rounds).
        examples: how many there are, and how many each round draws.
        rounds: how many.
        seed: of the draws.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 6.
    """
    generator = np.random.default_rng(seed)
    scores = []
    for count in _portions(rounds, "resampling"):
        drawn = generator.integers(examples, size=(count, examples))  # (rounds, examples)
        drawn += examples * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * examples).reshape(count, examples)  # (rounds, examples)
        scores.append(score(times.astype(np.float64)))
    return np.concatenate(scores, axis=-1)


def interval(samples: Array, *, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of samples, float (rounds,)."""
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def holm(ps: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number; NaN stays NaN and does not count.

    Source: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
    """
    adjusted = np.array(ps, dtype=float)
    tested = np.flatnonzero(~np.isnan(adjusted))
    order = tested[np.argsort(adjusted[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * adjusted[order]), 1.0)
    return [float(p) for p in adjusted]


def paired_t_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the two-sided p of a paired t-test; NaN with fewer than two pairs, or where no pair differs."""
    from scipy.stats import t

    differences = np.subtract(b, a)
    if len(differences) < 2 or not differences.any():
        return float("nan")
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    if error == 0:
        return 0.0
    return float(2 * t.sf(abs(differences.mean()) / error, len(differences) - 1))


def hedges_g(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the mean of b less that of a, in pooled standard deviations, corrected for few values.

    NaN with fewer than two values a side, or where they do not vary.

    Source: Hedges 1981, "Distribution Theory for Glass's Estimator of Effect Size": Cohen's d times 1 - 3 / (4 df - 1).
    """
    degrees = len(a) + len(b) - 2
    if min(len(a), len(b)) < 2:
        return float("nan")
    pooled = ((len(a) - 1) * np.var(a, ddof=1) + (len(b) - 1) * np.var(b, ddof=1)) / degrees
    if pooled == 0:
        return float("nan")
    return float((np.mean(b) - np.mean(a)) / np.sqrt(pooled) * (1 - 3 / (4 * degrees - 1)))


def paired_t_power(effect: float, pairs: int, *, alpha: float = 0.05) -> float:
    """Return how often a two-sided paired t-test finds a difference.

    Args:
        effect: the true difference, in standard deviations of the paired differences.
        pairs: how many, 2 or more.
        alpha: below which p counts as found.
    """
    from scipy.stats import nct, t

    degrees, shift = pairs - 1, effect * np.sqrt(pairs)
    critical = t.ppf(1 - alpha / 2, degrees)
    return float(sum(nct.sf(critical, degrees, side) for side in (shift, -shift)))


def detectable_difference(deviation: float, pairs: int, *, power: float = 0.8) -> float:
    """Return the true difference that a paired t-test at 0.05 finds with a given power.

    Args:
        deviation: standard deviation of the paired differences; the result is in its unit.
        pairs: how many; NaN with fewer than two.
        power: how often it is found.
    """
    from scipy.optimize import brentq

    if pairs < 2:
        return float("nan")
    enough = 1.0
    while paired_t_power(enough, pairs) < power:
        enough *= 2
    effect = brentq(lambda effect: paired_t_power(effect, pairs) - power, 0.0, enough)
    return float(effect * deviation)


def _portions(rounds: int, what: str) -> Iterator[int]:
    """Yield numbers of rounds that fit in memory together, with a progress bar."""
    starts = range(0, rounds, _AT_ONCE)
    for start in progress(starts, what, total=len(starts)):
        yield min(_AT_ONCE, rounds - start)
