"""The one product of a span ranker that is too large to keep: over all pairs of mentions, in blocks."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BLOCK = 2**20  # numbers in the largest intermediate result; they stay in the cache of a processor


def pair_products(vectors: Tensor, weight: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return a linear map of the elementwise product of two vectors, for each pair.

    It equals ``linear(vectors[first] * vectors[second], weight)``, but the vectors and products of all pairs are never
    in memory at once: they take ``pairs * dim`` numbers, 8 GB for a document of 10,000 words. The backward pass
    computes them again, which takes no matrix product.

    Args:
        vectors: Float (mentions, dim).
        weight: Float (output_dim, dim).
        first: Int64 (pairs,), the first mention of each pair.
        second: Int64 (pairs,), the second one.

    Returns:
        Float (pairs, output_dim).
    """
    output: Tensor = _PairProducts.apply(vectors, weight, first, second)
    return output


class _PairProducts(torch.autograd.Function):
    """The map and its gradients, block by block."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, weight: Tensor, first: Tensor, second: Tensor) -> Tensor:
        ctx.save_for_backward(vectors, weight, first, second)
        output = vectors.new_empty(len(first), len(weight))  # (pairs, output_dim)
        for block in _blocks(len(first), vectors.size(1)):
            product = vectors.index_select(0, first[block]).mul_(vectors.index_select(0, second[block]))
            torch.mm(product, weight.t(), out=output[block])
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        vectors, weight, first, second = ctx.saved_tensors
        vectors_grad, weight_grad = torch.zeros_like(vectors), torch.zeros_like(weight)
        for block in _blocks(len(first), vectors.size(1)):
            left, right = vectors.index_select(0, first[block]), vectors.index_select(0, second[block])
            weight_grad.addmm_(grad[block].t(), left * right)
            product_grad = grad[block] @ weight  # (pairs of the block, dim)
            vectors_grad.index_add_(0, first[block], right.mul_(product_grad))
            vectors_grad.index_add_(0, second[block], left.mul_(product_grad))
        return vectors_grad, weight_grad, None, None


def _blocks(pairs: int, dim: int) -> list[slice]:
    """Return slices of pairs, of whose vectors each has at most ``_BLOCK`` numbers."""
    size = max(1, _BLOCK // dim)
    return [slice(start, min(start + size, pairs)) for start in range(0, pairs, size)]
