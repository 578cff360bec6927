"""The best span, checked against every span."""

import random

import pytest
import torch

from harness.nn.masking import mask_of_lengths
from harness.nn.spans import best_spans


@pytest.mark.parametrize("max_tokens", [None, 1, 3, 100])
def test_no_span_is_better(max_tokens: int | None) -> None:
    rng = random.Random(1)
    lengths = torch.tensor([1, 7, 3, 9])
    scores = [[[rng.randrange(6) for _ in range(9)] for _ in range(4)] for _ in range(2)]  # with ties
    starts, ends = torch.tensor(scores, dtype=torch.float)  # (batch, tokens) each
    found = best_spans(starts, ends, mask_of_lengths(lengths, 9), max_tokens=max_tokens)
    for row, length in enumerate(lengths.tolist()):
        spans = [(i, j) for i in range(length) for j in range(i, min(length, i + (max_tokens or length)))]
        best = max(scores[0][row][i] + scores[1][row][j] for i, j in spans)
        assert tuple(found[row].tolist()) == next(
            (i, j) for i, j in spans if scores[0][row][i] + scores[1][row][j] == best
        )


def test_padding_is_never_answered() -> None:
    starts = torch.tensor([[-1e30, 5.0], [-5.0, 9.0]])
    assert best_spans(starts, starts, mask_of_lengths(torch.tensor([1, 1]), 2)).tolist() == [[0, 0], [0, 0]]


def test_a_very_long_text() -> None:
    starts, ends = torch.zeros(1, 20_000), torch.zeros(1, 20_000)
    starts[0, 100] = ends[0, 19_999] = 1
    mask = torch.ones(1, 20_000, dtype=torch.bool)
    assert best_spans(starts, ends, mask).tolist() == [[100, 19_999]]
    assert best_spans(starts, ends, mask, max_tokens=30).tolist() == [[100, 100]]
