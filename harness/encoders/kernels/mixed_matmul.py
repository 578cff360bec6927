"""Matrix products in the type of the weights, with a sum in the type of the other tensors."""

import torch
from torch import Tensor

from harness.encoders.kernels.onednn_product import matmul


def affine(added: Tensor, left: Tensor, right: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return added + left @ right.

    Args:
        added: Float (dim,) or (rows, dim); its type is the type of the sum.
        left: Float (rows, width).
        right: Float (width, dim); its type is the type of the product, except that autocast chooses it with a gradient.
        out: Where to write the result, float (rows, dim), may be ``added``; None: new memory, as a gradient needs it.
    """
    if torch.is_grad_enabled() or right.dtype != added.dtype:
        return torch.add(product(left, right), added, out=out)
    return torch.addmm(added, left, right, out=out)


def product(left: Tensor, right: Tensor) -> Tensor:
    """Return left @ right in the type of ``right``; on a GPU, products of bfloat16 numbers are summed to float32.

    Args:
        left: Float (rows, width).
        right: Float (width, dim).
    """
    if right.is_cuda and right.dtype == torch.bfloat16 and not torch.is_grad_enabled():
        return torch.mm(left.to(right.dtype), right, out_dtype=torch.float32)
    left = left.to(right.dtype)
    return matmul(left, right) if torch.is_grad_enabled() else left @ right
