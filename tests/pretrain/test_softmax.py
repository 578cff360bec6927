"""The sampled softmax compared with its formula, and the sampler compared with its distribution."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from harness.pretrain.softmax import Negatives, WordSoftmax, log_uniform

SIZE, DIM = 40, 6


def probabilities(size: int) -> np.ndarray:
    ranks = np.arange(size)
    return np.log((ranks + 2) / (ranks + 1)) / np.log(size + 1)


def test_negatives_are_different_and_in_range() -> None:
    for seed in range(20):
        drawn = log_uniform(SIZE, 15, np.random.default_rng(seed))
        assert len(set(drawn.rows.tolist())) == 15
        assert drawn.rows.min() >= 0
        assert drawn.rows.max() < SIZE
        assert drawn.tries >= 15


def test_all_words_can_be_drawn() -> None:
    drawn = log_uniform(SIZE, SIZE, np.random.default_rng(0))
    assert sorted(drawn.rows.tolist()) == list(range(SIZE))


def test_all_words_as_negatives_are_the_full_softmax() -> None:
    torch.manual_seed(0)
    softmax = WordSoftmax(size=SIZE, dim=DIM)
    vectors, targets = torch.randn(2, 7, DIM), torch.randint(SIZE, (2, 7))
    sampled = softmax.sampled_nll(vectors, targets, log_uniform(SIZE, SIZE, np.random.default_rng(0)))
    full = torch.stack([softmax.nll(vectors[d], targets[d]).sum() for d in range(2)])
    torch.testing.assert_close(sampled, full)


def test_gradients_are_the_same_to_the_bit_on_several_threads() -> None:
    torch.manual_seed(0)
    softmax = WordSoftmax(size=500, dim=64)
    vectors, targets = torch.randn(2, 3000, 64), torch.randint(20, (2, 3000))  # frequent words that occur many times
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    gradients = []
    for _ in range(8):
        softmax.zero_grad()
        softmax.sampled_nll(vectors, targets, Negatives(np.arange(50), 70, 500)).sum().backward()
        gradients.append(softmax.weight.grad.to_dense())  # type: ignore[union-attr]
    torch.set_num_threads(threads)
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


def test_the_first_draw_is_log_uniform() -> None:
    generator = np.random.default_rng(3)
    draws = 20_000
    counts = np.bincount([log_uniform(SIZE, 1, generator).rows[0] for _ in range(draws)], minlength=SIZE)
    expected = probabilities(SIZE)
    assert abs(expected.sum() - 1) < 1e-12
    error = np.sqrt(expected * (1 - expected) / draws)
    assert (np.abs(counts / draws - expected) < 4.5 * error).all()


def test_a_word_is_among_the_negatives_as_often_as_expected() -> None:
    generator = np.random.default_rng(4)
    seen, expected, draws = np.zeros(SIZE), np.zeros(SIZE), 4000
    for _ in range(draws):
        negatives = log_uniform(SIZE, 12, generator)
        seen[negatives.rows] += 1
        expected += negatives.expected_log_counts(torch.arange(SIZE)).exp().numpy()
    # TensorFlow takes 1 - (1 - p)^tries, given the tries. On average over many draws it must be nearly exact.
    np.testing.assert_allclose(seen / draws, expected / draws, atol=0.05)


def negatives_of(rows: list[int]) -> Negatives:
    return Negatives(np.array(rows, dtype=np.int64), 17, SIZE)


def by_formula(
    softmax: WordSoftmax, vectors: torch.Tensor, targets: torch.Tensor, negatives: Negatives
) -> torch.Tensor:
    """Return the loss, computed for one position at a time from the target and all other negatives."""
    total = torch.zeros((), dtype=vectors.dtype)
    for vector, target in zip(vectors, targets.tolist(), strict=True):
        rows = [target] + [row for row in negatives.rows.tolist() if row != target]
        scores = []
        for row in rows:
            chance = math.log((row + 2) / (row + 1)) / math.log(SIZE + 1)
            count = 1 - (1 - chance) ** negatives.tries
            scores.append(vector @ softmax.weight[row] + softmax.bias[row, 0] - math.log(count))
        total = total - F.log_softmax(torch.stack(scores), dim=0)[0]
    return total


@pytest.mark.parametrize("rows", [[0, 5, 1, 30], [7, 3, 2]])
def test_loss_and_gradients_equal_the_formula(rows: list[int]) -> None:
    torch.manual_seed(0)
    softmax = WordSoftmax(size=SIZE, dim=DIM).double()
    torch.nn.init.normal_(softmax.bias)
    vectors = torch.randn(2, 7, DIM, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[3, 0, 39, 5, 5, 30, 2], [1, 1, 3, 7, 8, 9, 0]])  # some of them are among the negatives
    negatives = negatives_of(rows)
    ours = softmax.sampled_nll(vectors, targets, negatives)
    expected = torch.stack([by_formula(softmax, vectors[d], targets[d], negatives) for d in range(2)])
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)  # the counts are float32
    weights = torch.tensor([1.0, 0.3], dtype=torch.float64)
    (ours * weights).sum().backward()
    got = [vectors.grad, softmax.weight.grad.to_dense(), softmax.bias.grad.to_dense()]  # type: ignore[union-attr]
    wanted = torch.autograd.grad((expected * weights).sum(), [vectors, softmax.weight, softmax.bias])
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    softmax = WordSoftmax(size=SIZE, dim=DIM)
    vectors, targets = torch.randn(2, 7, DIM), torch.randint(SIZE, (2, 7))
    whole = softmax.sampled_nll(vectors, targets, negatives_of([0, 4, 6])), softmax.nll(vectors[0], targets[0])
    monkeypatch.setattr("harness.pretrain.softmax._ROWS", 2)
    parts = softmax.sampled_nll(vectors, targets, negatives_of([0, 4, 6])), softmax.nll(vectors[0], targets[0])
    torch.testing.assert_close(parts, whole)


def test_the_gradient_of_the_table_is_sparse() -> None:
    softmax = WordSoftmax(size=SIZE, dim=DIM)
    softmax.sampled_nll(torch.randn(2, 2, DIM), torch.tensor([[3, 4], [4, 3]]), negatives_of([0, 4])).sum().backward()
    assert softmax.weight.grad is not None
    assert softmax.weight.grad.is_sparse
    assert softmax.weight.grad.coalesce().indices().flatten().tolist() == [0, 3, 4]


def test_the_full_softmax_sums_to_one() -> None:
    softmax = WordSoftmax(size=SIZE, dim=DIM)
    vector = torch.randn(1, DIM).expand(SIZE, DIM)
    torch.testing.assert_close((-softmax.nll(vector, torch.arange(SIZE))).exp().sum(), torch.tensor(1.0))
