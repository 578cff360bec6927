"""Layers that look at one vector at a time."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn


class FeedForward(nn.Module):
    """Linear maps, each followed by a ReLU and dropout.

    Initial weights are uniform, of such a width that a ReLU layer keeps the mean square of its input (He et al. 2015,
    arXiv 1502.01852); ``nn.Linear`` by itself shrinks it sixfold a layer. Biases are 0.

    Args:
        input_dim: width of the input, at least 1.
        dims: width of each layer.
        dropouts: probability in [0, 1] of dropping a value of each layer; as many as layers.

    Raises:
        ValueError: there are more or fewer dropouts than layers.
    """

    def __init__(self, *, input_dim: int, dims: Sequence[int], dropouts: Sequence[float]) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        width = input_dim
        for dim, dropout in zip(dims, dropouts, strict=True):
            self.layers.extend([_linear(width, dim, before="relu"), nn.ReLU(), nn.Dropout(dropout)])
            width = dim
        self.output_dim = width

    def forward(self, vectors: Tensor) -> Tensor:
        """Map float (..., input_dim) to (..., output_dim)."""
        output: Tensor = self.layers(vectors)  # (..., output_dim)
        return output


class Maxout(nn.Module):
    """Layers whose every value is the greatest of several linear maps, each layer followed by dropout.

    Initial weights are uniform, of such a width that each map keeps the mean square of its input. Biases are 0.

    Args:
        input_dim: width of the input, at least 1.
        dims: width of each layer.
        dropouts: probability in [0, 1] of dropping a value of each layer; as many as layers.
        pool_size: number of linear maps a value is the greatest of, at least 1.

    Raises:
        ValueError: there are more or fewer dropouts than layers.

    Source: Goodfellow et al. 2013 (arXiv 1302.4389), section 3.
    """

    def __init__(self, *, input_dim: int, dims: Sequence[int], dropouts: Sequence[float], pool_size: int) -> None:
        super().__init__()
        self.pool_size = pool_size
        widths = [input_dim, *dims]
        self.maps = nn.ModuleList(_linear(width, dim * pool_size, before="linear") for width, dim in pairwise(widths))
        self.dropouts = nn.ModuleList(nn.Dropout(dropout) for _, dropout in zip(dims, dropouts, strict=True))
        self.output_dim = widths[-1]

    def forward(self, vectors: Tensor) -> Tensor:
        """Map float (..., input_dim) to (..., output_dim)."""
        for linear, dropout in zip(self.maps, self.dropouts, strict=True):
            pieces = linear(vectors).unflatten(-1, (-1, self.pool_size))  # (..., dim, pool_size)
            vectors = dropout(pieces.amax(dim=-1))  # (..., dim)
        return vectors


def _linear(input_dim: int, output_dim: int, *, before: Literal["relu", "linear"]) -> nn.Linear:
    """Return a linear map that, with what it stands before, keeps the mean square of its input."""
    linear = nn.Linear(input_dim, output_dim)
    nn.init.kaiming_uniform_(linear.weight, nonlinearity=before)
    nn.init.zeros_(linear.bias)
    return linear
