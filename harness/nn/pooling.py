"""Pooling: one vector from the vectors of a text's tokens. Padding does not count, and an empty text gives 0."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from harness.nn.attention import masked_softmax


def max_pool(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the greatest value of each dimension.

    Args:
        vectors: Float (batch, tokens, dim).
        mask: Bool (batch, tokens), True at a token.

    Returns:
        Float (batch, dim).
    """
    pooled: Tensor = _MaxPool.apply(vectors, mask)  # (batch, dim)
    return pooled


class _MaxPool(torch.autograd.Function):
    """The maximum. Its gradient takes a tenth of the time of that of ``amax``, which counts equal values in int64."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, mask: Tensor) -> Tensor:
        filled = vectors.masked_fill(~mask.unsqueeze(2), -torch.inf)  # (batch, tokens, dim)
        pooled = filled.amax(dim=1).masked_fill(~mask.any(dim=1, keepdim=True), 0.0)  # (batch, dim)
        ctx.save_for_backward(filled, pooled)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        filled, pooled = ctx.saved_tensors
        # Equal values share the gradient. In an empty row none equals the result.
        greatest = (filled == pooled.unsqueeze(1)).to(grad.dtype)  # (batch, tokens, dim)
        return greatest * (grad / greatest.sum(dim=1).clamp(min=1)).unsqueeze(1), None


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
