"""The best span of tokens, from a score of each token as a start and as an end."""

import torch
from torch import Tensor
from torch.nn import functional as F


def best_spans(starts: Tensor, ends: Tensor, mask: Tensor, *, max_tokens: int | None = None) -> Tensor:
    """Return the span of each row whose start and end scores have the greatest sum; of equal spans, the first.

    The best end for each start is a maximum over a window, so no table of all pairs is needed.

    Args:
        starts: Float (batch, tokens), the score of each token as the first of the span.
        ends: Float (batch, tokens), the score of each token as the last of the span.
        mask: Bool (batch, tokens), right-padded, with at least one token in each row.
        max_tokens: Greatest number of tokens in a span; None for any number.

    Returns:
        Int64 (batch, 2): the first and the last token.
    """
    lowest = torch.finfo(starts.dtype).min
    tokens = starts.size(1)
    width = tokens if max_tokens is None else min(max_tokens, tokens)
    ahead = F.pad(ends.masked_fill(~mask, lowest), (0, width - 1), value=lowest)  # (batch, tokens + width - 1)
    best, last = F.max_pool1d(ahead.unsqueeze(1), width, stride=1, return_indices=True)  # (batch, 1, tokens) each
    first = (starts.masked_fill(~mask, -torch.inf) + best.squeeze(1)).argmax(dim=1, keepdim=True)  # (batch, 1)
    return torch.cat([first, last.squeeze(1).gather(1, first)], dim=1)  # (batch, 2)
