"""Rank systems over several tasks, and say which ranks are ties.

A *system* is what is compared, for example an encoder. On each task it has a score per seed. Systems are ranked only if
they have scores on every task.
"""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.statistics import Array, holm, is_tested, paired_t_p

Scores = Mapping[int, float]  # by seed
_LEVEL = 0.05
_FEWEST_TASKS = 3  # with two, an interval over tasks is wider than all ranks
_NAN = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Ranked:
    """A system in the ranking.

    Attributes:
        name: Its name.
        mean, mean_interval: The mean over tasks and over the seeds that it has on all of them, with its 95 % interval;
            if these are fewer than two, the mean over all its seeds, without an interval.
        rank, rank_interval: The mean over tasks of its rank, from 1, and its 95 % interval over tasks and seeds.
        normalised: SUPERB's score: 0 for the base and 1000 for the best of each task; NaN if that is not known.
        group: The number of its group of ties, from 1; None if it has too few seeds for a test.
    """

    name: str
    mean: float
    mean_interval: tuple[float, float]
    rank: float
    rank_interval: tuple[float, float]
    normalised: float
    group: int | None


def ranking(
    scores: Mapping[str, Sequence[Scores]], *, base: Sequence[float | None], rounds: int, seed: int
) -> list[Ranked]:
    """Rank systems by their mean score over tasks; the best is first.

    The interval of the mean says what other seeds would give on these tasks. That of the rank says what other tasks of
    this kind would give: its standard error comes from resampling tasks, and then the seeds of each drawn task, the
    same for all systems; it is as many standard errors wide as the t distribution says for so few tasks.

    Args:
        scores: For each system, its scores on each task, in the same order of tasks.
        base: The score of the base on each task; None if it is not known.
        rounds: The number of resamples; 0 gives no intervals.
        seed: The seed of the draws.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 12; the leaderboard of SUPERB
    (superbbenchmark.org) for the normalised score.
    """
    names = list(scores)
    if not names:
        return []
    means = np.array([[statistics.mean(task.values()) for task in scores[name]] for name in names])  # (systems, tasks)
    ranks, normalised = _ranks(means).mean(axis=1), _normalised(means, base)
    samples = _ranks(_resampled(list(scores.values()), rounds=rounds, seed=seed)).mean(axis=-1)  # (systems, rounds)
    rank_ends = _intervals(ranks, samples, means.shape[1])
    by_seed = {name: _over_tasks(tasks) for name, tasks in scores.items()}
    overall = {
        name: statistics.mean(by_seed[name].values() if len(by_seed[name]) > 1 else row)
        for name, row in zip(names, means.tolist(), strict=True)
    }
    groups = tie_groups(by_seed, order=sorted(names, key=lambda name: -overall[name]))
    found = [
        Ranked(
            name=name,
            mean=overall[name],
            mean_interval=seeds_interval(list(by_seed[name].values())),
            rank=float(ranks[i]),
            rank_interval=rank_ends[i],
            normalised=float(normalised[i]),
            group=groups[name],
        )
        for i, name in enumerate(names)
    ]
    return sorted(found, key=lambda one: (one.group is None, one.group or 0, -one.mean))


def tie_groups(scores: Mapping[str, Scores], *, order: Sequence[str]) -> dict[str, int | None]:
    """Return the number of the group of ties of each system, from 1.

    Walking down from the best, a new group begins where a system is below the first one of the group: the p-value of
    their paired t-test over common seeds, adjusted by Holm's method for all pairs of systems, is below 0.05. A system
    is not tested, so it has no group, if it has fewer than two seeds in common with the first of the group, or differs
    from it by the same amount with each of them.

    Args:
        scores: The scores of each system by seed.
        order: The systems, the best first.
    """
    sides = {pair: _on_common_seeds(scores[pair[0]], scores[pair[1]]) for pair in itertools.combinations(order, 2)}
    adjusted = dict(zip(sides, holm([paired_t_p(*both) for both in sides.values()]), strict=True))
    below = {pair for pair, (a, b) in sides.items() if adjusted[pair] < _LEVEL and sum(a) > sum(b)}
    groups: dict[str, int | None] = {}
    first, group = None, 0
    for name in order:
        if len(scores[name]) > 1 and (first is None or (first, name) in below):
            first, group = name, group + 1
        if first is None or (first != name and not is_tested(adjusted[first, name], *sides[first, name])):
            groups[name] = None
        else:
            groups[name] = group
    return groups


def seeds_interval(scores: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean over seeds, by the t distribution; NaN with one seed."""
    from scipy.stats import t

    if len(scores) < 2:
        return _NAN
    half = t.ppf(1 - _LEVEL / 2, len(scores) - 1) * statistics.stdev(scores) / math.sqrt(len(scores))
    return statistics.mean(scores) - float(half), statistics.mean(scores) + float(half)


def _on_common_seeds(a: Scores, b: Scores) -> tuple[list[float], list[float]]:
    """Return the scores of two systems with the seeds that both have."""
    seeds = sorted(a.keys() & b.keys())
    return [a[seed] for seed in seeds], [b[seed] for seed in seeds]


def _over_tasks(tasks: Sequence[Scores]) -> dict[int, float]:
    """Return the mean over tasks for each seed that all tasks have."""
    seeds = set.intersection(*(set(task) for task in tasks))
    return {seed: statistics.mean(task[seed] for task in tasks) for seed in sorted(seeds)}


def _ranks(scores: Array) -> Array:
    """Return the rank of each system from 1, the highest score first; equal scores share their mean rank."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(-scores, axis=0))


def _normalised(means: Array, base: Sequence[float | None]) -> Array:
    """Return SUPERB's score of each system, float (systems,); NaN if a base is unknown, or as good as the best."""
    low = np.array([math.nan if one is None else one for one in base])  # (tasks,)
    room = means.max(axis=0) - low  # (tasks,)
    room[~(room > 0)] = math.nan
    return np.asarray(1000 * ((means - low) / room).mean(axis=1))


def _resampled(scores: Sequence[Sequence[Scores]], *, rounds: int, seed: int) -> Array:
    """Return mean scores over drawn seeds of drawn tasks, float (systems, rounds, tasks)."""
    generator = np.random.default_rng(seed)
    count = len(scores[0])
    tasks = generator.integers(count, size=(rounds, count))  # (rounds, tasks)
    found = np.zeros((len(scores), rounds, count))
    for number in range(count):
        seeds = sorted(set.intersection(*(set(tasks_of[number]) for tasks_of in scores)))
        if seeds:
            known = np.array([[tasks_of[number][one] for one in seeds] for tasks_of in scores])  # (systems, seeds)
        else:  # without common seeds, only tasks are resampled
            known = np.array([[statistics.mean(tasks_of[number].values())] for tasks_of in scores])  # (systems, 1)
        where = np.nonzero(tasks == number)
        drawn = generator.integers(known.shape[1], size=(len(where[0]), known.shape[1]))  # (draws, seeds)
        found[:, where[0], where[1]] = known[:, drawn].mean(axis=-1)
    return found


def _intervals(ranks: Array, samples: Array, tasks: int) -> list[tuple[float, float]]:
    """Return the 95 % interval of each system's rank from its resamples, (systems, rounds); NaN with two tasks.

    The mean of n resampled tasks varies less than the mean of n tasks by (n - 1) / n, which the factor undoes.
    """
    from scipy.stats import t

    if tasks < _FEWEST_TASKS or samples.shape[1] < 2:
        return [_NAN] * len(samples)
    half = t.ppf(1 - _LEVEL / 2, tasks - 1) * math.sqrt(tasks / (tasks - 1)) * samples.std(axis=1, ddof=1)  # (systems,)
    most = float(len(ranks))
    return [(max(float(a - b), 1.0), min(float(a + b), most)) for a, b in zip(ranks, half, strict=True)]
