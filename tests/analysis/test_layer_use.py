"""The numbers of layer use agree with other ways to compute them."""

import math

import numpy as np
import pytest
from scipy.stats import entropy, ttest_1samp

from harness.analysis.layer_use import (
    centre_of_gravity,
    divergence_from_uniform,
    estimate,
    expected_layer,
    layer_use,
    scaled_weights,
)

WEIGHTS = [0.5, 0.2, 0.3]


def test_the_centre_of_gravity() -> None:
    assert centre_of_gravity(WEIGHTS) == pytest.approx(0.8)
    for layer in range(4):
        assert centre_of_gravity([float(i == layer) for i in range(4)]) == layer


def test_the_divergence_is_in_bits() -> None:
    assert divergence_from_uniform(WEIGHTS) == pytest.approx(entropy(WEIGHTS, [1 / 3] * 3, base=2))
    assert divergence_from_uniform([0.25] * 4) == 0.0
    assert divergence_from_uniform([0.0, 1.0, 0.0, 0.0]) == 2.0


def test_weights_scaled_by_norms() -> None:
    assert scaled_weights([0.5, 0.5], [3.0, 1.0]) == [0.75, 0.25]
    assert all(math.isnan(one) for one in scaled_weights([1.0, 0.0], [0.0, 5.0]))


def test_the_expected_layer_by_hand() -> None:
    found = expected_layer([0.4, 0.5, 0.8, 0.8])
    assert found.gains == pytest.approx((0.1, 0.3, 0.0))
    assert found.raw == found.clipped == pytest.approx((1 * 0.1 + 2 * 0.3) / 0.4)


def test_a_loss_is_shown_and_is_left_out_of_the_clipped_value_only() -> None:
    found = expected_layer([0.4, 0.8, 0.6])
    assert found.gains == pytest.approx((0.4, -0.2))
    assert found.raw == pytest.approx((0.4 - 2 * 0.2) / 0.2)
    assert found.clipped == 1.0
    nothing = expected_layer([0.5, 0.4])
    assert nothing.raw == 1.0
    assert math.isnan(nothing.clipped)


def test_the_interval_is_that_of_a_t_test() -> None:
    values = [0.1, 0.4, 0.35, 0.2]
    found, expected = estimate(values), ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), expected.low, expected.high))
    assert math.isnan(estimate([0.3]).low)


def test_an_estimate_as_text() -> None:
    found = estimate([0.5, 0.7])
    assert found.text() == f"0.60 ± {found.high - 0.6:.2f}"
    assert estimate([0.5]).text(1, 100) == "50.0"


def test_the_use_over_seeds() -> None:
    found = layer_use([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25]])
    assert [one.mean for one in found.weights] == [0.375, 0.5, 0.125]
    assert found.centre.mean == pytest.approx(0.75)
    assert (found.weights[1].low, found.weights[1].high) == (0.5, 0.5)
    assert found.divergence.mean == pytest.approx((math.log2(1.5) + math.log2(3) - 1.5) / 2)


def test_gains_that_sum_to_zero_have_no_mean_layer() -> None:
    found = expected_layer([0.1, 0.78, 0.19, 0.1])  # the sum of the gains is 0, or 1e-17 in floating point
    assert math.isnan(found.raw)
    assert found.clipped == pytest.approx(1.0)
