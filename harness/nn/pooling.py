"""Pooling: one vector from the vectors of a text's tokens. Padding does not count, and an empty text gives 0."""

import torch
from torch import Tensor, nn

from harness.nn.attention import masked_softmax


def max_pool(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the greatest value of each dimension.

    Args:
        vectors: Float (batch, tokens, dim).
        mask: Bool (batch, tokens), True at a token.

    Returns:
        Float (batch, dim).
    """
    pooled = vectors.masked_fill(~mask.unsqueeze(2), torch.finfo(vectors.dtype).min).amax(dim=1)  # (batch, dim)
    return pooled.masked_fill(~mask.any(dim=1, keepdim=True), 0.0)


def min_pool(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the smallest value of each dimension.

    Args:
        vectors: Float (batch, tokens, dim).
        mask: Bool (batch, tokens), True at a token.

    Returns:
        Float (batch, dim).
    """
    return -max_pool(-vectors, mask)


def mean_pool(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of each dimension.

    Args:
        vectors: Float (batch, tokens, dim).
        mask: Bool (batch, tokens), True at a token.

    Returns:
        Float (batch, dim).
    """
    total = vectors.masked_fill(~mask.unsqueeze(2), 0.0).sum(dim=1)  # (batch, dim)
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)


class SelfAttentivePool(nn.Module):
    """A mean of the tokens' vectors, weighted by a learned score of each token.

    Args:
        dim: Width of the vectors.

    Source: McCann et al. 2017 (CoVe, arXiv 1708.00107), section 4.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1, bias=False)  # the softmax would cancel a bias

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Compute the weighted mean.

        Args:
            vectors: Float (batch, tokens, dim).
            mask: Bool (batch, tokens), True at a token.

        Returns:
            Float (batch, dim).
        """
        weights = masked_softmax(self.score(vectors).squeeze(2), mask)  # (batch, tokens)
        return (weights.unsqueeze(1) @ vectors).squeeze(1)  # (batch, dim)
