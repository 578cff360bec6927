"""Matrix products with frozen weights, in which the bits of a row depend on that row alone."""

import torch
from torch import Tensor
from torch.nn import functional as F

VECTOR = 32  # floats; a row of a multiple of it fills whole vectors (see ``fill``)
GRAIN = 16  # number of rows; a product of oneDNN gives a row the same bits in any multiple of it
_BLOCK = 64  # number of rows of every product without oneDNN


class FrozenProduct:
    """``rows @ weight + bias``, where each row has the same bits at any place and beside any other rows.

    Products of oneDNN have this property for all numbers of rows except 1, and MKL's at least for a fixed number. With
    weights packed in advance, oneDNN is also faster. Its operators are private in torch: if a version of torch lacks
    them, the public product is taken in blocks of a fixed number of rows. The tests check both.

    Args:
        weight: Float (width, dim); ``dim`` must be a multiple of ``VECTOR``. In bfloat16 the public product is used.
        bias: Float32 (dim,), or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self._bias = bias
        self._packed = None if weight.dtype == torch.bfloat16 else packed(weight)
        self._weight = weight if self._packed is None else None

    def __call__(self, rows: Tensor) -> Tensor:
        """Map float32 (rows, width) to float32 (rows, dim)."""
        count, block = len(rows), _BLOCK if self._packed is None else GRAIN
        if count % block:
            rows = F.pad(rows, (0, 0, 0, -count % block))  # (rows + padding, width)
        if self._packed is not None:
            product = torch.ops.mkldnn._linear_pointwise.default(rows, self._packed, self._bias, "none", [], "")
            return product[:count]  # type: ignore[no-any-return]
        assert self._weight is not None
        blocks = rows.to(self._weight.dtype).split(block)
        product = torch.cat([torch.mm(one, self._weight) for one in blocks])[:count].float()  # (rows, dim)
        return product if self._bias is None else product.add_(self._bias)


def packed(weight: Tensor) -> Tensor | None:
    """Return float32 (width, dim) in the memory layout of oneDNN's products, or None if torch does not offer them."""
    offered = torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise")
    )
    return torch.ops.mkldnn._reorder_linear_weight(weight.t().contiguous(), _BLOCK) if offered else None


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
