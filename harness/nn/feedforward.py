"""Feed-forward and maxout layers: each vector is transformed on its own."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn


class FeedForward(nn.Module):
    """Linear maps, each followed by a ReLU and dropout.

    Initial weights are uniform, with a range for which a ReLU layer keeps the mean square of its input (He et al. 2015,
    arXiv 1502.01852); the default of ``nn.Linear`` makes it six times smaller in each layer. Biases are 0.

    Args:
        input_dim: Width of the input, at least 1.
        dims: Width of each layer, at least 1.
        dropouts: Probability in [0, 1] of dropping a value, for each layer.

    Raises:
        ValueError: The number of dropouts is not the number of layers.
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
        """Map float (..., input_dim) to float (..., output_dim)."""
        output: Tensor = self.layers(vectors)  # (..., output_dim)
        return output


class Maxout(nn.Module):
    """Maxout layers, each followed by dropout: every output is the greatest of several linear maps.

    Initial weights are uniform, with a range for which each map keeps the mean square of its input. Biases are 0.

    Args:
        input_dim: Width of the input, at least 1.
        dims: Width of each layer, at least 1.
        dropouts: Probability in [0, 1] of dropping a value, for each layer.
        pool_size: Number of linear maps per output, at least 1.

    Raises:
        ValueError: The number of dropouts is not the number of layers.

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
        """Map float (..., input_dim) to float (..., output_dim)."""
        for linear, dropout in zip(self.maps, self.dropouts, strict=True):
            pieces = linear(vectors).unflatten(-1, (-1, self.pool_size))  # (..., dim, pool_size)
            vectors = dropout(pieces.amax(dim=-1))  # (..., dim)
        return vectors


def _linear(input_dim: int, output_dim: int, *, before: Literal["relu", "linear"]) -> nn.Linear:
    """Return a linear map that, together with the activation after it, keeps the mean square of its input."""
    linear = nn.Linear(input_dim, output_dim)
    nn.init.kaiming_uniform_(linear.weight, nonlinearity=before)
    nn.init.zeros_(linear.bias)
    return linear
