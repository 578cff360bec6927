"""Sums with a matrix product: in the type of the weights, and in place where no gradient is wanted."""

import torch
from torch import Tensor


def affine(bias: Tensor, left: Tensor, right: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return bias + left @ right: the product in the type of ``right`` (with a gradient, of autocast), the sum in that
    of ``bias``.
    """
    if torch.is_grad_enabled() or right.dtype != bias.dtype:
        return torch.add(product(left, right), bias, out=out)
    return torch.addmm(bias, left, right, out=out)


def added_product(values: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return values + left @ right likewise, in the place of ``values`` where no gradient needs them."""
    if torch.is_grad_enabled():
        return values + product(left, right)
    if right.dtype != values.dtype:
        return values.add_(product(left, right))
    return values.addmm_(left, right)


def product(left: Tensor, right: Tensor) -> Tensor:
    """Return left @ right in the type of ``right``; a GPU need not round what bfloat16 numbers sum up to."""
    if right.is_cuda and right.dtype == torch.bfloat16 and not torch.is_grad_enabled():
        return torch.mm(left.to(right.dtype), right, out_dtype=torch.float32)
    return left.to(right.dtype) @ right
