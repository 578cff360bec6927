"""The ranking: against hand-worked cases, and simulated systems whose order and noise are known."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from harness.analysis.ranking import ranking, seeds_interval, tie_groups

Scores = dict[int, float]


def by_seed(*scores: float) -> Scores:
    return dict(enumerate(scores, start=1))


def groups_of(scores: Sequence[Sequence[float]]) -> list[int]:
    """Return the groups of systems that all have the same seeds."""
    named = {str(i): by_seed(*row) for i, row in enumerate(scores)}
    order = sorted(named, key=lambda name: -sum(named[name].values()))
    return [group for group in tie_groups(named, order=order).values() if group is not None]


def simulated(
    generator: np.random.Generator, true: np.ndarray, *, tasks: int, seeds: int, noise: float, by_task: float = 0.0
) -> dict[str, list[Scores]]:
    """Return scores of systems whose true scores on each task vary around their true mean, plus noise by seed."""
    of_task = true[:, None] + by_task * generator.standard_normal((len(true), tasks))  # (systems, tasks)
    scores = of_task[..., None] + noise * generator.standard_normal((len(true), tasks, seeds))
    return {str(i): [by_seed(*task) for task in system] for i, system in enumerate(scores)}


def test_mean_rank_and_normalised_score_by_hand() -> None:
    scores = {
        "base": [by_seed(0.50, 0.50), by_seed(0.20, 0.20)],
        "good": [by_seed(0.90, 0.70), by_seed(0.30, 0.30)],
        "other": [by_seed(0.60, 0.60), by_seed(0.40, 0.40)],
    }
    found = {one.name: one for one in ranking(scores, base=[0.5, 0.2], rounds=0, seed=0)}
    assert {name: one.mean for name, one in found.items()} == pytest.approx({"base": 0.35, "good": 0.55, "other": 0.5})
    assert {name: one.rank for name, one in found.items()} == {"base": 3.0, "good": 1.5, "other": 1.5}
    normalised = {"base": 0.0, "good": 1000 * (1 + 0.5) / 2, "other": 1000 * (1 / 3 + 1) / 2}
    assert {name: one.normalised for name, one in found.items()} == pytest.approx(normalised)


def test_equal_scores_share_their_rank() -> None:
    found = ranking({name: [by_seed(0.5)] for name in "abc"}, base=[None], rounds=9, seed=0)
    assert [one.rank for one in found] == [2.0, 2.0, 2.0]
    assert all(np.isnan(one.normalised) for one in found)
    assert all(np.isnan(one.rank_interval).all() for one in found)


def test_nothing_above_the_base_has_no_normalised_score() -> None:
    found = ranking({"base": [by_seed(0.5)], "worse": [by_seed(0.4)]}, base=[0.5], rounds=0, seed=0)
    assert all(np.isnan(one.normalised) for one in found)


def test_the_interval_over_seeds_is_that_of_scipy() -> None:
    scores = [0.61, 0.64, 0.58, 0.66]
    expected = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert seeds_interval(scores) == pytest.approx((expected.low, expected.high))
    assert np.isnan(seeds_interval([0.5])).all()


def test_a_group_begins_where_the_first_of_the_group_differs() -> None:
    """b differs from a; c differs from neither, but is a member of the group of b, whose first it is compared with."""
    noise = np.array([0.0, 0.001, -0.001, 0.002, -0.002])
    scores = {
        "a": by_seed(*(0.80 + noise)),
        "a2": by_seed(*(0.7995 - noise)),
        "b": by_seed(*(0.60 - noise)),
        "b2": by_seed(*(0.5995 + noise)),
        "c": by_seed(*(0.40 + noise[::-1])),
    }
    assert tie_groups(scores, order=list(scores)) == {"a": 1, "a2": 1, "b": 2, "b2": 2, "c": 3}


def test_what_is_not_tested_has_no_group() -> None:
    assert tie_groups({"a": {1: 0.9}, "b": {1: 0.1}}, order="ab") == {"a": None, "b": None}
    assert tie_groups({"a": {1: 0.9, 2: 0.9}, "b": {3: 0.1, 4: 0.1}}, order="ab") == {"a": 1, "b": None}
    first_has_one_seed: dict[str, dict[int, float]] = {"a": {1: 0.9}, "b": {1: 0.5, 2: 0.6}, "c": {1: 0.5, 2: 0.6}}
    assert tie_groups(first_has_one_seed, order="abc") == {"a": None, "b": 1, "c": 1}


def test_one_seed_on_one_task_leaves_the_mean_without_a_test() -> None:
    """The other task would separate them; what other seeds give on the first is not known."""
    several = {"good": [by_seed(0.8, 0.81, 0.82), {1: 0.7}], "bad": [by_seed(0.1, 0.11, 0.12), {1: 0.2}]}
    found = ranking(several, base=[None, None], rounds=0, seed=0)
    assert [(one.name, one.group) for one in found] == [("good", None), ("bad", None)]
    assert found[0].mean == pytest.approx((0.81 + 0.7) / 2)


def test_mean_and_interval_are_over_the_seeds_of_all_tasks() -> None:
    """Seed 3 is missing on the second task, so its 0.9 on the first does not count."""
    scores = {"a": [by_seed(0.80, 0.82, 0.90), by_seed(0.70, 0.74)], "b": [by_seed(0.1, 0.3, 0.2), by_seed(0.2, 0.1)]}
    first = ranking(scores, base=[None, None], rounds=0, seed=0)[0]
    assert first.mean == pytest.approx((0.75 + 0.78) / 2)
    assert first.mean_interval == pytest.approx(seeds_interval([0.75, 0.78]))


def test_a_system_that_is_better_on_common_seeds_is_not_below() -> None:
    """a is first by its other seeds; on seeds 1 to 3, b is significantly above it."""
    scores = {"a": by_seed(0.50, 0.51, 0.525, 0.9, 0.9, 0.9, 0.9), "b": by_seed(0.60, 0.611, 0.62)}
    assert tie_groups(scores, order="ab") == {"a": 1, "b": 1}
    assert tie_groups(scores, order="ba") == {"b": 1, "a": 2}


def test_equal_systems_are_separated_at_the_nominal_rate() -> None:
    """Two systems: 5 % of the time. Of six, any two: at most 5 %, because Holm's method corrects for all pairs."""
    generator = np.random.default_rng(0)
    for systems, trials, most in ((2, 600, 0.07), (6, 120, 0.1)):
        split = []
        for _ in range(trials):
            scores = 0.7 + 0.01 * generator.standard_normal((systems, 5))
            split.append(max(groups_of(scores)) > 1)
        assert np.mean(split) < most
        if systems == 2:
            assert np.mean(split) > 0.03


def test_a_clear_order_is_found() -> None:
    generator, true = np.random.default_rng(1), 0.9 - 0.1 * np.arange(5)
    found = ranking(simulated(generator, true, tasks=4, seeds=5, noise=0.005), base=[0.5] * 4, rounds=50, seed=0)
    assert [one.name for one in found] == ["0", "1", "2", "3", "4"]
    assert [one.group for one in found] == [1, 2, 3, 4, 5]


def test_intervals_cover_the_truth() -> None:
    """Tasks are drawn from a population in which the systems have a known expected rank."""
    generator, true, by_task = np.random.default_rng(2), 0.7 - 0.02 * np.arange(5), 0.02
    population = true[:, None] + by_task * generator.standard_normal((5, 20_000))
    expected = stats.rankdata(-population, axis=0).mean(axis=1)
    ranks, means = [], []
    for trial in range(60):
        scores = simulated(generator, true, tasks=8, seeds=5, noise=0.004, by_task=by_task)
        for one in ranking(scores, base=[None] * 8, rounds=200, seed=trial):
            low, high = one.rank_interval
            ranks.append(low <= expected[int(one.name)] <= high)
        fixed = simulated(generator, true, tasks=8, seeds=5, noise=0.004)
        for one in ranking(fixed, base=[None] * 8, rounds=0, seed=trial):
            low, high = one.mean_interval
            means.append(low <= true[int(one.name)] <= high)
    assert 0.89 < np.mean(ranks) < 0.99
    assert 0.92 < np.mean(means) < 0.98


def test_ranks_have_no_interval_with_fewer_than_three_tasks() -> None:
    scores = simulated(np.random.default_rng(3), np.array([0.6, 0.5]), tasks=2, seeds=3, noise=0.01)
    assert all(np.isnan(one.rank_interval).all() for one in ranking(scores, base=[None] * 2, rounds=20, seed=0))


def test_the_interval_of_a_rank_stays_among_the_ranks() -> None:
    scores = simulated(np.random.default_rng(4), np.array([0.6, 0.55, 0.5]), tasks=3, seeds=3, noise=0.05)
    for one in ranking(scores, base=[None] * 3, rounds=100, seed=0):
        assert 1 <= one.rank_interval[0] <= one.rank <= one.rank_interval[1] <= 3


def test_a_difference_that_is_the_same_with_every_seed_is_no_tie() -> None:
    scores = {"a": by_seed(0.9, 0.9), "b": by_seed(0.5, 0.5), "same": by_seed(0.9, 0.9)}
    assert tie_groups(scores, order=["a", "same", "b"]) == {"a": 1, "same": 1, "b": None}
