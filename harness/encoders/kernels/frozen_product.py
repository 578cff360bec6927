"""Matrix products with frozen weights, in which the bits of a row depend on that row alone."""

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.encoders.kernels.onednn_product import OFFERED

VECTOR = 32  # floats; a row of a multiple of it fills whole vectors (see ``fill``)
GRAIN = 4  # the smallest number of rows to multiply; a product of one row has other bits
BLOCK = 64  # the greatest number of rows to multiply together


class FrozenProduct:
    """``rows @ weight + bias``, where each row has the same bits at any place and beside any other rows.

    A product of a fixed number of rows has this property. Most libraries also give a row the same bits in a product of
    fewer rows, which is faster for a short text. A trial with these weights decides: if the bits differ, every product
    has ``BLOCK`` rows.

    With weights packed in advance, oneDNN is faster than the public product of torch, but its operators are private. If
    a version of torch lacks them, the public product is used.

    Args:
        weight: Float (width, dim); ``dim`` must be a multiple of ``VECTOR``. In bfloat16 the public product is used.
        bias: Float32 (dim,), or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self._bias = bias
        self._packed = None if weight.dtype == torch.bfloat16 else packed(weight)
        self._weight = weight if self._packed is None else weight.new_empty(0)
        trial = torch.randn(BLOCK, len(weight), generator=torch.Generator().manual_seed(0))  # (rows, width)
        whole = self._multiply(trial)  # (rows, dim)
        parts = ((count, self._multiply(trial[:count])) for count in range(GRAIN, BLOCK, GRAIN))
        self._grain = GRAIN if all(torch.equal(part, whole[:count]) for count, part in parts) else BLOCK

    def __call__(self, rows: Tensor) -> Tensor:
        """Map float32 (rows, width) to float32 (rows, dim)."""
        count = len(rows)
        if count % self._grain:
            rows = F.pad(rows, (0, 0, 0, -count % self._grain))  # (rows + padding, width)
        products = [self._multiply(block) for block in rows.split(BLOCK)]  # (block, dim) each
        return (products[0] if len(products) == 1 else torch.cat(products))[:count]

    def _multiply(self, rows: Tensor) -> Tensor:
        """Multiply all rows at once."""
        if self._packed is not None:
            operator = torch.ops.mkldnn._linear_pointwise.default
            return operator(rows, self._packed, self._bias, "none", [], "")
        product = (rows.to(self._weight.dtype) @ self._weight).float()  # (rows, dim)
        return product if self._bias is None else product.add_(self._bias)


def packed(weight: Tensor) -> Tensor | None:
    """Return float32 (width, dim) in the memory layout of oneDNN's products, or None if torch does not offer them."""
    return torch.ops.mkldnn._reorder_linear_weight(weight.t().contiguous(), BLOCK) if OFFERED else None


def fill(tensor: Tensor, axes: int = 1) -> Tensor:
    """Pad the last dimensions with zeros to a multiple of ``VECTOR``.

    Torch computes a sigmoid by vector instructions, but the last numbers, which do not fill a vector, one by one, with
    other bits. If every row fills its vectors, no number is among these. Weights that are padded in the same way keep
    the padding of all vectors at 0.

    Args:
        tensor: Float, with at least ``axes`` dimensions.
        axes: The number of dimensions to pad.
    """
    return F.pad(tensor, [pad for size in tensor.shape[::-1][:axes] for pad in (0, -size % VECTOR)])
