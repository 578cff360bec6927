"""Dropout for sequences."""

from torch import Tensor, nn
from torch.nn import functional as F

from harness.config.bounds import Dropout


class VariationalDropout(nn.Module):
    """Drop the same dimensions at every token of a sequence.

    Plain dropout makes a new random choice at each token, so a recurrent layer can average the noise away.

    Args:
        dropout: Probability that a dimension is dropped, in [0, 1).

    Source: Gal and Ghahramani 2016 (arXiv 1512.05287), section 4, for the inputs of a layer.
    """

    def __init__(self, *, dropout: Dropout) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(self, vectors: Tensor) -> Tensor:
        """Drop dimensions during training, and scale the others to keep the expected value.

        Args:
            vectors: Float (batch, tokens, dim).

        Returns:
            Float (batch, tokens, dim); ``vectors`` itself during evaluation.
        """
        if not self.training or self.dropout == 0.0:
            return vectors
        ones = vectors.new_ones(vectors.size(0), 1, vectors.size(2))  # (batch, 1, dim)
        return vectors * F.dropout(ones, self.dropout)  # (batch, tokens, dim)
