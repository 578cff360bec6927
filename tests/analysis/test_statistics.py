"""The statistics against enumeration, hand counts and scipy; the tests' size and power by simulation."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from harness.analysis.statistics import (
    bootstrap,
    detectable_difference,
    hedges_g,
    holm,
    interval,
    paired_t_p,
    paired_t_power,
    randomised_p,
    ratio_of_sums,
)
from tests.benchmarks import seeds_apart
from tests.benchmarks.power import main, share_found
from tests.support.reports import write_run

NAN = float("nan")


def test_a_ratio_of_sums_is_zero_without_a_denominator() -> None:
    assert ratio_of_sums(np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])).tolist() == [0.75, 0.0, 0.0]
    assert ratio_of_sums(np.array([3.0, 4.0])) == 0.75


def test_holm_is_the_step_down_test_of_its_paper() -> None:
    """Holm 1979: the smallest p is tested at level / n, the next at level / (n - 1), and so on until one is not below.

    An adjusted p is the lowest level at which its hypothesis is rejected.
    """

    def rejected(ps: np.ndarray, level: float) -> set[int]:
        found: set[int] = set()
        for rank, i in enumerate(np.argsort(ps)):
            if ps[i] > level / (len(ps) - rank):
                break
            found.add(int(i))
        return found

    generator = np.random.default_rng(3)
    for size in (1, 2, 5, 9):
        ps = generator.random(size) ** 3
        adjusted = np.array(holm(list(ps)))
        for level in generator.random(200):
            assert rejected(ps, level) == set(np.flatnonzero(adjusted <= level))


def test_hedges_g_is_cohens_d_corrected_by_the_gamma_function() -> None:
    """The factor 1 - 3 / (4 df - 1) is an approximation of the exact one, good to 0.6 % from four degrees on."""
    generator = np.random.default_rng(4)
    for size in (3, 5, 10):
        a, b = generator.random(size), generator.random(size) + 0.3
        degrees = 2 * size - 2
        d = (b.mean() - a.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
        exact = np.exp(special.gammaln(degrees / 2) - special.gammaln((degrees - 1) / 2)) / np.sqrt(degrees / 2)
        assert hedges_g(a, b) == pytest.approx(d * exact, rel=0.006)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.03, NAN, 0.001, 0.9, 0.8]) == pytest.approx([0.09, NAN, 0.004, 1.0, 1.0], nan_ok=True)
    assert holm([]) == []


def test_holm_keeps_the_share_of_families_with_a_false_finding_at_five_percent() -> None:
    ps = np.random.default_rng(0).random((2000, 8))
    share = np.mean([min(holm(row)) <= 0.05 for row in ps])
    assert share == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 2000))
    assert np.mean(ps.min(axis=1) <= 0.05) > 0.3  # unadjusted


def test_the_effect_by_hand() -> None:
    assert hedges_g([1, 2, 3], [3, 4, 5]) == pytest.approx(2.0 * (1 - 3 / 15))
    assert hedges_g([1, 3], [0, 2, 4]) == pytest.approx(0.0)
    assert np.isnan([hedges_g([1], [2]), hedges_g([1, 1], [2, 2])]).all()


def test_the_paired_t_test_by_hand_and_by_scipy(recwarn: pytest.WarningsRecorder) -> None:
    a, b = np.random.default_rng(1).random((2, 6))
    assert paired_t_p(a, b) == pytest.approx(stats.ttest_rel(a, b).pvalue)
    t = 2 * np.sqrt(3)  # mean 2 and standard deviation 1 in three pairs; with two degrees of freedom p is elementary
    assert paired_t_p([0, 0, 0], [1, 2, 3]) == pytest.approx(1 - t / np.sqrt(2 + t**2), abs=1e-12)
    assert np.isnan([paired_t_p([0.5], [0.6]), paired_t_p([0.5, 0.6], [0.5, 0.6])]).all()
    assert np.isnan([paired_t_p([0.0, 0.0], [1.0, 1.0]), paired_t_p([0.1, 0.2, 0.7], [0.3, 0.4, 0.9])]).all()
    assert not recwarn.list


def test_randomisation_equals_enumeration() -> None:
    gain = np.array([1.0, 2.0, -0.5, 3.0, 1.5, 0.25])
    every = [abs(np.dot(signs, gain)) for signs in itertools.product((1, -1), repeat=6)]
    exact = np.mean(np.array(every) >= gain.sum() - 1e-9)
    p = randomised_p(lambda exchanged: gain.sum() - 2 * exchanged @ gain, examples=6, rounds=20_000, seed=0)
    assert p == pytest.approx(exact, abs=0.01)


def test_the_bootstrap_equals_enumeration() -> None:
    values = np.array([0.0, 1.0, 5.0])
    every = sorted(np.mean(draw) for draw in itertools.product(values, repeat=3))
    samples = bootstrap(lambda times: times @ values / 3, examples=3, rounds=20_000, seed=0)
    assert samples.shape == (20_000,)
    for quantile in (0.1, 0.5, 0.8):
        assert np.mean(samples <= np.quantile(every, quantile) + 1e-9) == pytest.approx(
            np.mean(np.array(every) <= np.quantile(every, quantile) + 1e-9), abs=0.015
        )
    assert interval(np.arange(1001.0)) == pytest.approx((25.0, 975.0))


def test_the_interval_contains_the_truth_in_95_percent_of_cases() -> None:
    generator = np.random.default_rng(0)
    trials, held = 400, 0
    for trial in range(trials):
        right = (generator.random(200) < 0.7).astype(float)
        low, high = interval(
            bootstrap(lambda times, right=right: times @ right / 200, examples=200, rounds=200, seed=trial)  # type: ignore[misc]
        )
        held += low <= 0.7 <= high
    assert held / trials == pytest.approx(0.945, abs=3 * np.sqrt(0.05 * 0.95 / trials))


@pytest.mark.parametrize(("effect", "pairs"), [(0.0, 3), (1.0, 3), (1.0, 5), (0.5, 10)])
def test_the_power_of_the_t_test_equals_simulation(effect: float, pairs: int) -> None:
    draws = np.random.default_rng(0).normal(effect, 1, size=(20_000, pairs))
    share = np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue <= 0.05)
    assert paired_t_power(effect, pairs) == pytest.approx(share, abs=0.011)


def test_a_detectable_difference_is_found_four_times_in_five() -> None:
    for pairs in (2, 3, 5, 10):
        assert paired_t_power(detectable_difference(0.02, pairs) / 0.02, pairs) == pytest.approx(0.8)
    assert np.isnan(detectable_difference(0.02, 1))
    assert np.isnan(detectable_difference(0.0, 5))


@pytest.mark.parametrize("deviation", [0.0, 0.02])
@pytest.mark.parametrize("seeds", [3, 5])
def test_two_sets_of_seeds_of_one_setting_differ_in_five_percent_of_cases(seeds: int, deviation: float) -> None:
    """The test over seeds keeps its size however much runs vary, so it is the one that compares settings."""
    share, _, _ = share_found(seeds=seeds, examples=100, difference=0.0, deviation=deviation, trials=2000, rounds=0)
    assert share == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 2000))


def test_over_examples_the_size_is_right_for_these_models_but_not_for_settings() -> None:
    """For this reason, settings are not compared only by the examples of their models."""
    _, equal, _ = share_found(seeds=3, examples=300, difference=0.0, deviation=0.0, trials=600)
    assert equal == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 600))
    _, varying, _ = share_found(seeds=3, examples=300, difference=0.0, deviation=0.04, trials=300)
    assert varying > 0.15


def test_a_known_difference_is_found_with_the_power_that_theory_gives() -> None:
    over_seeds, over_examples, spread = share_found(seeds=5, examples=500, difference=0.04, deviation=0.01, trials=500)
    assert over_seeds == pytest.approx(paired_t_power(0.04 / spread, 5), abs=0.06)
    assert over_examples > over_seeds > 0.5


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--trials", "2", "--examples", "20", "--deviations", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 4 * 3
    assert lines[2].startswith("| 1.0 | 0.0 | 3 |")


def test_pairs_of_runs_of_one_setting_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, chance in enumerate((0.1, 0.9, 0.9)):  # the first model is far worse than the other two
        write_run(tmp_path, encoder="elmo", seed=seed, chance=chance)
    write_run(tmp_path, encoder="none", seed=0, chance=0.5)  # without another to compare it with
    seeds_apart.main([str(tmp_path), "--rounds", "99"])
    _, _, row, total = capsys.readouterr().out.splitlines()
    assert row == "| made_up | elmo | 3 | 3 | 2 |"
    assert total == "| all | | | 3 | 2 (67 %) |"


def test_the_effect_is_unknown_if_scores_do_not_vary() -> None:
    assert np.isnan(hedges_g([0.1] * 3, [0.2] * 3))  # the variance of [0.1, 0.1, 0.1] is 2e-34
