"""Highway layers: a gate decides for each dimension whether it is transformed or passed on unchanged."""

import torch
from torch import Tensor, nn


class Highway(nn.Module):
    """Layers of ``g * x + (1 - g) * relu(A x + b)`` with the gate ``g = sigmoid(C x + d)``.

    The biases d start at 1, so a new layer passes on most of its input.

    Args:
        dim: Width of input and output, at least 1.
        num_layers: Number of layers; with 0 the output is the input.

    Source: Srivastava et al. 2015 (arXiv 1505.00387), equation 3, with 1 - T written as g.
    """

    def __init__(self, *, dim: int, num_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(dim, 2 * dim) for _ in range(num_layers))
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            nn.init.ones_(layer.bias.data[dim:])

    def forward(self, vectors: Tensor) -> Tensor:
        """Map float (..., dim) to float (..., dim)."""
        for layer in self.layers:
            new, gate = layer(vectors).chunk(2, dim=-1)  # (..., dim) each
            vectors = torch.lerp(new.relu(), vectors, gate.sigmoid())  # (..., dim)
        return vectors
