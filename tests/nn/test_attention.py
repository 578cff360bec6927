"""Attention and pooling, each checked against a loop over rows and tokens."""

import math

import pytest
import torch

from harness.nn.attention import TrilinearSimilarity, dot_product, masked_softmax
from harness.nn.masking import mask_of_lengths
from harness.nn.pooling import SelfAttentivePool, max_pool, mean_pool, min_pool

torch.manual_seed(0)
VECTORS = torch.randn(4, 5, 3, dtype=torch.float64)
LENGTHS = torch.tensor([5, 1, 0, 3])
MASK = mask_of_lengths(LENGTHS, 5)


def test_masked_softmax_is_a_softmax_over_unmasked_scores() -> None:
    scores = VECTORS[..., 0]
    weights = masked_softmax(scores, MASK)
    for row, n in enumerate(LENGTHS.tolist()):
        total = sum(math.exp(s) for s in scores[row, :n].tolist())
        expected = [math.exp(s) / total for s in scores[row, :n].tolist()] + [0.0] * (5 - n)
        assert weights[row].tolist() == pytest.approx(expected)


def test_masked_softmax_has_no_nan_in_its_gradient() -> None:
    scores = VECTORS[..., 0].clone().requires_grad_()
    (masked_softmax(scores, MASK) ** 2).sum().backward()
    assert torch.isfinite(scores.grad).all()
    assert (scores.grad[~MASK] == 0).all()


def test_trilinear_similarity_equals_its_formula() -> None:
    similarity = TrilinearSimilarity(dim=3).double()
    x, y = VECTORS, torch.randn(4, 2, 3, dtype=torch.float64)
    w = torch.cat([similarity.of_query, similarity.of_key, similarity.of_product])
    scores = similarity(x, y)
    for b in range(4):
        for i in range(5):
            for j in range(2):
                joined = torch.cat([x[b, i], y[b, j], x[b, i] * y[b, j]])
                assert scores[b, i, j].item() == pytest.approx(float((w @ joined).detach()))


def test_dot_product_equals_its_formula() -> None:
    y = torch.randn(4, 2, 3, dtype=torch.float64)
    scores = dot_product(VECTORS, y)
    for b in range(4):
        for i in range(5):
            for j in range(2):
                assert scores[b, i, j].item() == pytest.approx(sum((VECTORS[b, i] * y[b, j]).tolist()))


@pytest.mark.parametrize(("pool", "rule"), [(max_pool, max), (min_pool, min), (mean_pool, lambda v: sum(v) / len(v))])
def test_pooling_uses_the_tokens_of_each_row(pool, rule) -> None:
    pooled = pool(VECTORS, MASK)
    for row, n in enumerate(LENGTHS.tolist()):
        expected = [rule(VECTORS[row, :n, d].tolist()) if n else 0.0 for d in range(3)]
        assert pooled[row].tolist() == pytest.approx(expected)


def test_self_attentive_pooling_is_a_weighted_mean() -> None:
    pool = SelfAttentivePool(dim=3).double()
    pooled = pool(VECTORS, MASK)
    for row, n in enumerate(LENGTHS.tolist()):
        scores = [float(pool.score(VECTORS[row, t]).detach()) for t in range(n)]
        total = sum(map(math.exp, scores))
        expected = [
            sum(math.exp(s) / total * float(VECTORS[row, t, d]) for t, s in enumerate(scores)) for d in range(3)
        ]
        assert pooled[row].tolist() == pytest.approx(expected if n else [0.0] * 3)


def test_pooling_gradients_reach_tokens_only() -> None:
    for pool in (max_pool, min_pool, mean_pool, SelfAttentivePool(dim=3).double()):
        vectors = VECTORS.clone().requires_grad_()
        (pool(vectors, MASK) ** 2).sum().backward()
        assert torch.isfinite(vectors.grad).all()
        assert (vectors.grad[~MASK] == 0).all()


def test_equal_greatest_values_share_the_gradient_and_empty_rows_have_none():
    vectors = torch.tensor([[[1.0], [3.0], [3.0], [9.0]], [[2.0], [0.0], [1.0], [0.0]]], requires_grad=True)
    mask = torch.tensor([[True, True, True, False], [False] * 4])
    (max_pool(vectors, mask) * 6).sum().backward()
    assert vectors.grad.squeeze(2).tolist() == [[0, 3, 3, 0], [0, 0, 0, 0]]
