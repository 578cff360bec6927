"""Each measure against known answers, enumeration, or another library."""

import math

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.decomposition import PCA

from harness.analysis.geometry.measures import first_component_share, linear_cka, mean_cosine, similarity_to_mean

Array = np.ndarray


def noise(count: int, dim: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(count, dim))


def cosine(a: Array, b: Array) -> float:
    return float(a @ b / math.sqrt(a @ a) / math.sqrt(b @ b))


def cka(x: Array, y: Array) -> tuple[float, float]:
    plain, debiased = linear_cka([lambda: x, lambda: y])
    np.testing.assert_array_equal(plain, plain.T)
    np.testing.assert_array_equal(debiased, debiased.T)
    return plain[0, 1], debiased[0, 1]


def test_isotropic_noise_has_anisotropy_0() -> None:
    assert mean_cosine(noise(20_000, 64)) == pytest.approx(0, abs=1e-4)
    both_ways = np.concatenate([np.eye(50), -np.eye(50)])  # 50 of the 4,950 pairs have cosine -1, the others 0
    assert mean_cosine(both_ways) == pytest.approx(-50 / 4950, abs=1e-15)


def test_a_common_direction_is_anisotropy() -> None:
    """Unit vectors with the part c in one direction and the rest in directions of their own have cosine c squared."""
    vectors = np.concatenate([np.full((40, 1), 0.6), 0.8 * np.eye(40)], axis=1)
    assert mean_cosine(vectors) == pytest.approx(0.36, abs=1e-14)


def test_the_mean_cosine_is_that_of_all_pairs() -> None:
    vectors = noise(12, 5) + 1
    pairs = [cosine(a, b) for i, a in enumerate(vectors) for b in vectors[i + 1 :]]
    assert mean_cosine(vectors) == pytest.approx(np.mean(pairs), abs=1e-14)
    assert mean_cosine(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])) == pytest.approx(1 / 3)
    assert math.isnan(mean_cosine(vectors[:1]))


def test_intra_sentence_similarity() -> None:
    vectors = noise(9, 5) + 1
    mean = vectors.mean(axis=0)
    assert similarity_to_mean(vectors) == pytest.approx(np.mean([cosine(one, mean) for one in vectors]), abs=1e-14)
    assert similarity_to_mean(np.eye(16)) == pytest.approx(1 / 4)  # independent vectors: 1 / sqrt(tokens)
    assert similarity_to_mean(np.ones((3, 4))) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (5, 5)])
def test_the_first_component_is_that_of_scikit_learn(shape: tuple[int, int]) -> None:
    vectors = noise(*shape) * np.arange(1, shape[1] + 1) + 3
    expected = PCA(n_components=1).fit(vectors).explained_variance_ratio_[0]
    assert first_component_share(vectors) == pytest.approx(expected, abs=1e-12)


def test_equal_vectors_have_no_first_component() -> None:
    assert math.isnan(first_component_share(np.tile(noise(1, 300), (7, 1))))
    assert first_component_share(np.outer(np.arange(5.0), noise(1, 8))) == pytest.approx(1)


def test_cka_of_a_rotated_view_is_1() -> None:
    x = noise(300, 20) * np.arange(1, 21)
    rotation = ortho_group.rvs(20, random_state=1)
    for y in (x @ rotation, 7 * x @ rotation + 3, x @ np.eye(20, 30)):
        assert cka(x, y) == pytest.approx((1, 1), abs=1e-12)
    stretched = x @ (rotation * np.arange(1, 21))  # not a rotation
    assert cka(x, stretched)[0] < 0.9


def test_cka_agrees_with_its_definition_on_the_matrices_of_products() -> None:
    """Kornblith et al. 2019, equations 3 and 4; the unbiased HSIC of Song et al. 2012, equation 5."""
    x = noise(30, 6)
    y = x @ noise(6, 9, seed=1) + noise(30, 9, seed=2)
    centring = np.eye(30) - 1 / 30

    def biased(a: Array, b: Array) -> float:
        return float(np.trace(a @ centring @ b @ centring))

    def unbiased(a: Array, b: Array) -> float:
        a, b, ones = a - np.diag(np.diag(a)), b - np.diag(np.diag(b)), np.ones(30)
        whole = (ones @ a @ ones) * (ones @ b @ ones) / (29 * 28)
        return float(np.trace(a @ b) + whole - 2 / 28 * (ones @ a @ b @ ones))

    of_x, of_y = x @ x.T, y @ y.T
    expected = [hsic(of_x, of_y) / math.sqrt(hsic(of_x, of_x) * hsic(of_y, of_y)) for hsic in (biased, unbiased)]
    assert cka(x, y) == pytest.approx(expected, abs=1e-12)


def test_few_tokens_make_unrelated_views_alike_unless_debiased() -> None:
    plain, debiased = cka(noise(400, 100), noise(400, 100, seed=1))
    assert plain == pytest.approx(100 / 500, abs=0.01)
    assert debiased == pytest.approx(0, abs=0.01)
    assert cka(noise(4000, 100), noise(4000, 100, seed=1))[0] < 0.03


def test_a_constant_view_has_no_cka() -> None:
    assert all(map(math.isnan, cka(noise(20, 3), np.full((20, 3), 0.1))))
