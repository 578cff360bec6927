"""Attention between the tokens of two texts, or of one text with itself."""

import torch
from torch import Tensor, nn


def masked_softmax(scores: Tensor, mask: Tensor, *, dim: int = -1) -> Tensor:
    """Return a softmax over the unmasked places; 0 everywhere where there is none.

    Args:
        scores: float, any shape.
        mask: bool, broadcastable to it, True where a score counts.
        dim: the axis that sums to one.
    """
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim)
    return weights.masked_fill(~mask, 0.0)


def dot_product(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the similarity of every token of one text to every token of another.

    Args:
        queries: float (batch, queries, dim).
        keys: float (batch, keys, dim).

    Returns:
        float (batch, queries, keys).
    """
    return queries @ keys.transpose(1, 2)


class TrilinearSimilarity(nn.Module):
    """The similarity w · [x; y; x*y], with a bias if wanted.

    No (batch, queries, keys, dim) product is ever held: the three parts of w are applied one by one.

    Args:
        dim: width of both texts' vectors.
        bias: whether to add a learnt constant. A softmax does not see it, a comparison with a fixed score does.

    Source: Seo et al. 2017 (arXiv 1611.01603), equation 1.
    """

    def __init__(self, *, dim: int, bias: bool = False) -> None:
        super().__init__()
        bound = (6 / (3 * dim + 1)) ** 0.5  # Xavier uniform for a map from 3 * dim to 1
        self.of_query = nn.Parameter(torch.empty(dim).uniform_(-bound, bound))
        self.of_key = nn.Parameter(torch.empty(dim).uniform_(-bound, bound))
        self.of_product = nn.Parameter(torch.empty(dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(())) if bias else None

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Map (batch, queries, dim) and (batch, keys, dim) to (batch, queries, keys)."""
        own = (queries @ self.of_query).unsqueeze(2) + (keys @ self.of_key).unsqueeze(1)  # (batch, queries, keys)
        scores = own + dot_product(queries * self.of_product, keys)  # (batch, queries, keys)
        return scores if self.bias is None else scores + self.bias
