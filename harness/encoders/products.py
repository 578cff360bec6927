"""Sums with a matrix product: in the type of the weights, and in place where no gradient is wanted."""

import torch
from torch import Tensor


def affine(bias: Tensor, left: Tensor, right: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return bias + left @ right: the product in the type of ``right`` or autocast, the sum in that of ``bias``."""
    if torch.is_grad_enabled() or right.dtype != bias.dtype:
        return torch.add(left.to(right.dtype) @ right, bias, out=out)
    return torch.addmm(bias, left, right, out=out)


def added_product(values: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return values + left @ right likewise, in the place of ``values`` where no gradient needs them."""
    if torch.is_grad_enabled():
        return values + left.to(right.dtype) @ right
    if right.dtype != values.dtype:
        return values.add_(left.to(right.dtype) @ right)
    return values.addmm_(left, right)
