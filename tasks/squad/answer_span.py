"""From scores of starts and ends to a loss, and to answers in the passage's own characters."""

import torch
from torch import Tensor

from harness.nn.spans import best_spans
from harness.types import Batch, Prediction


def span_loss(starts: Tensor, ends: Tensor, batch: Batch) -> Tensor:
    """Return the negative log-likelihood of start and end, a mean over the batch.

    Args:
        starts, ends: float (batch, tokens), scores of the passage's tokens.
        batch: with gold ``span``, int64 (batch, 2): the first and the last token.
    """
    mask, span = batch.masks["passage"], batch.gold["span"]
    first = _log_softmax(starts, mask).gather(1, span[:, :1])  # (batch, 1)
    last = _log_softmax(ends, mask).gather(1, span[:, 1:])  # (batch, 1)
    return -(first + last).mean()


def answers(starts: Tensor, ends: Tensor, batch: Batch, *, max_tokens: int | None) -> list[Prediction]:
    """Return the likeliest span of each row: its text as the passage has it, its first and its last token."""
    # Scores do as well as log-probabilities, which differ from them by a constant a row.
    spans = best_spans(starts, ends, batch.masks["passage"], max_tokens=max_tokens)  # (batch, 2)
    return [
        Prediction(id=example.id, value={"text": example.origin.span(first, last), "start": first, "end": last})
        for example, (first, last) in zip(batch.examples, spans.tolist(), strict=True)
    ]


def _log_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Return log-probabilities over the unmasked tokens, (batch, tokens)."""
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).log_softmax(dim=1)
