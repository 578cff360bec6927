"""The precision in which layers are kept, on disk or in memory (``cache_dtype``)."""

import math

import numpy as np
import torch
from torch import Tensor

from harness.errors import CacheError


def rounded(layers: Tensor, dtype: np.dtype) -> Tensor:
    """Return layers in the precision in which they are kept.

    Args:
        layers: float32 (layers, tokens, dim).
        dtype: The precision.

    Raises:
        CacheError: A value is too large for this precision, or not finite.
    """
    kept = layers.to(getattr(torch, dtype.name))  # torch rounds 30 times as fast as numpy
    if kept.numel() and not all(map(math.isfinite, torch.stack(torch.aminmax(kept)).tolist())):
        if torch.isfinite(layers).all():
            raise CacheError(f"a vector does not fit {dtype}; set cache_dtype=float32")
        raise CacheError("the encoder made a vector with NaN or infinity; check its weights")
    return kept
