"""Highway layers: each dimension of a vector goes through a layer, or past it."""

import torch
from torch import Tensor, nn


class Highway(nn.Module):
    """Layers of ``g * x + (1 - g) * relu(A x + b)`` with a gate ``g = sigmoid(C x + d)`` of each dimension.

    The gates' biases start at 1, so that a new layer lets most of its input pass.

    Args:
        dim: width of input and output.
        num_layers: number of layers; 0 changes nothing.

    Source: Srivastava et al. 2015 (arXiv 1505.00387), equation 3, with 1 - T written as g.
    """

    def __init__(self, *, dim: int, num_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(dim, 2 * dim) for _ in range(num_layers))
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            nn.init.ones_(layer.bias.data[dim:])

    def forward(self, vectors: Tensor) -> Tensor:
        """Map float (..., dim) to (..., dim)."""
        for layer in self.layers:
            new, gate = layer(vectors).chunk(2, dim=-1)  # (..., dim) each
            vectors = torch.lerp(new.relu(), vectors, gate.sigmoid())  # (..., dim)
        return vectors
