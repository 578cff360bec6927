"""Dropout for sequences."""

from torch import Tensor, nn
from torch.nn import functional as F

from harness.errors import ConfigError


class VariationalDropout(nn.Module):
    """Drop the same dimensions at every token of a sequence.

    Plain dropout draws anew at each token, so a recurrent layer can average the noise away.

    Args:
        dropout: probability that a dimension is dropped, in [0, 1).

    Raises:
        ConfigError: ``dropout`` is out of range.

    Source: Gal and Ghahramani 2016 (arXiv 1512.05287), section 4, for a layer's inputs.
    """

    def __init__(self, *, dropout: float) -> None:
        super().__init__()
        if not 0.0 <= dropout < 1.0:
            raise ConfigError(f"VariationalDropout: dropout is {dropout}; choose a value in [0, 1)")
        self.dropout = dropout

    def forward(self, vectors: Tensor) -> Tensor:
        """Drop dimensions in training, scaling the others so that the expected value stays.

        Args:
            vectors: float (batch, tokens, dim).

        Returns:
            float (batch, tokens, dim); ``vectors`` itself in evaluation.
        """
        if not self.training or self.dropout == 0.0:
            return vectors
        ones = vectors.new_ones(vectors.size(0), 1, vectors.size(2))  # (batch, 1, dim)
        return vectors * F.dropout(ones, self.dropout)  # (batch, tokens, dim)
