"""Attention of a passage to a question and to itself, each checked against a loop over tokens."""

import math

import pytest
import torch
from torch import Tensor

from harness.nn import bi_attention
from harness.nn.bi_attention import BiAttention, SelfAttention
from harness.nn.masking import mask_of_lengths

torch.manual_seed(0)
PASSAGES, QUESTIONS = torch.randn(3, 6, 4, dtype=torch.float64), torch.randn(3, 3, 4, dtype=torch.float64)
PASSAGE_MASK, QUESTION_MASK = mask_of_lengths(torch.tensor([6, 1, 4]), 6), mask_of_lengths(torch.tensor([2, 3, 1]), 3)


def similarity(layer: BiAttention | SelfAttention, x: Tensor, y: Tensor) -> float:
    parts = layer.similarity
    return float((parts.of_query @ x + parts.of_key @ y + parts.of_product @ (x * y)).detach())


def mean(vectors: list[Tensor], weights: list[float], rest: float = 0.0) -> Tensor:
    total = sum(weights) + rest
    return sum((w / total * v for w, v in zip(weights, vectors, strict=True)), torch.zeros(4, dtype=torch.float64))


def test_bi_attention_equals_a_loop_over_tokens() -> None:
    layer = BiAttention(dim=4).double()
    output = layer(PASSAGES, QUESTIONS, PASSAGE_MASK, QUESTION_MASK)
    assert output.shape == (3, 6, layer.output_dim)
    for row in range(3):
        passage, question = list(PASSAGES[row][PASSAGE_MASK[row]]), list(QUESTIONS[row][QUESTION_MASK[row]])
        scores = [[similarity(layer, h, q) for q in question] for h in passage]
        summary = mean(passage, [math.exp(max(of_token)) for of_token in scores])
        for token, h in enumerate(passage):
            u = mean(question, [math.exp(s) for s in scores[token]])
            torch.testing.assert_close(output[row, token], torch.cat([h, u, h * u, h * summary]))


def test_self_attention_equals_a_loop_over_tokens() -> None:
    layer = SelfAttention(dim=4).double()
    assert layer.nothing.item() == -1
    output = layer(PASSAGES, PASSAGE_MASK)
    assert output.shape == (3, 6, layer.output_dim)
    for row in range(3):
        passage = list(PASSAGES[row][PASSAGE_MASK[row]])
        for token, x in enumerate(passage):
            others = [v for place, v in enumerate(passage) if place != token]
            a = mean(others, [math.exp(similarity(layer, x, v)) for v in others], rest=math.exp(-1))
            torch.testing.assert_close(output[row, token], torch.cat([x, a, x * a]))


@pytest.mark.parametrize("scores", [1, 30, 72])
def test_self_attention_in_parts_is_the_same(scores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = SelfAttention(dim=4).double()
    whole = layer(PASSAGES, PASSAGE_MASK)
    monkeypatch.setattr(bi_attention, "_MAX_SCORES", scores)
    torch.testing.assert_close(layer(PASSAGES, PASSAGE_MASK), whole)


def test_padding_changes_nothing() -> None:
    both, alone = BiAttention(dim=4).double(), SelfAttention(dim=4).double()
    wide, wide_question = (torch.cat([t, torch.full((3, 2, 4), 1e6)], dim=1) for t in (PASSAGES, QUESTIONS))
    more = [torch.cat([mask, torch.zeros(3, 2, dtype=torch.bool)], dim=1) for mask in (PASSAGE_MASK, QUESTION_MASK)]
    at = PASSAGE_MASK
    a, b = both(PASSAGES, QUESTIONS, PASSAGE_MASK, QUESTION_MASK), both(wide, wide_question, *more)
    torch.testing.assert_close(b[:, :6][at], a[at])
    torch.testing.assert_close(alone(wide, more[0])[:, :6][at], alone(PASSAGES, PASSAGE_MASK)[at])


def test_gradients_are_finite_and_reach_every_parameter() -> None:
    both, alone = BiAttention(dim=4).double(), SelfAttention(dim=4).double()
    passages = PASSAGES.clone().requires_grad_()
    loss = both(passages, QUESTIONS, PASSAGE_MASK, QUESTION_MASK)[PASSAGE_MASK].square().sum()
    (loss + alone(passages, PASSAGE_MASK)[PASSAGE_MASK].square().sum()).backward()
    assert torch.isfinite(passages.grad).all()
    assert (passages.grad[~PASSAGE_MASK] == 0).all()
    assert all(p.grad.any() for layer in (both, alone) for p in layer.parameters())
