"""Attention between the tokens of two texts, or between the tokens of one text."""

import torch
from torch import Tensor, nn


def masked_softmax(scores: Tensor, mask: Tensor, *, dim: int = -1) -> Tensor:
    """Return the softmax over the scores that count, and 0 for all others.

    Args:
        scores: Float tensor of any shape.
        mask: Bool tensor, broadcastable to ``scores``, True where a score counts.
        dim: The axis along which the weights sum to one, or to zero if no score counts.

    Returns:
        Float tensor of the shape of ``scores``.
    """
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim)
    return weights.masked_fill(~mask, 0.0)


def dot_product(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the dot product of every query with every key.

    Args:
        queries: Float (batch, queries, dim), the token vectors of one text.
        keys: Float (batch, keys, dim), the token vectors of another text.

    Returns:
        Float (batch, queries, keys).
    """
    return queries @ keys.transpose(1, 2)


class TrilinearSimilarity(nn.Module):
    """The similarity w · [x; y; x*y] of every query x to every key y.

    The three parts of w are applied one by one, so no tensor of shape (batch, queries, keys, dim) is ever created.
    There is no bias, because a softmax over the similarities would cancel it.

    Args:
        dim: Width of the vectors of both texts.

    Source: Seo et al. 2017 (arXiv 1611.01603), equation 1.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        bound = (6 / (3 * dim + 1)) ** 0.5  # Xavier uniform for a map from 3 * dim to 1
        self.of_query = nn.Parameter(torch.empty(dim).uniform_(-bound, bound))
        self.of_key = nn.Parameter(torch.empty(dim).uniform_(-bound, bound))
        self.of_product = nn.Parameter(torch.empty(dim).uniform_(-bound, bound))

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Compute all similarities.

        Args:
            queries: Float (batch, queries, dim).
            keys: Float (batch, keys, dim).

        Returns:
            Float (batch, queries, keys).
        """
        own = (queries @ self.of_query).unsqueeze(2) + (keys @ self.of_key).unsqueeze(1)  # (batch, queries, keys)
        return own + dot_product(queries * self.of_product, keys)  # (batch, queries, keys)
