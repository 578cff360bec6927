"""A plain BiLSTM classifier of texts and of pairs, the baseline of larger networks."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from harness.nn.pooling import max_pool, mean_pool
from harness.nn.recurrent import BiLstm
from harness.types import Batch, TokenVectors
from tasks.common.heads.text_classifier import joined, joined_width


class BiLstmClassifier(nn.Module):
    """Token vectors -> BiLSTM -> pooling over the tokens -> linear layer.

    Both texts of a pair go through the same BiLSTM; ``joined`` says what of them enters the linear layer.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that are joined to the output of the BiLSTM; 0 for none.
        num_labels: The number of labels.
        hidden_dim: The number of cells in each direction.
        num_layers: The number of layers of the BiLSTM.
        dropout: The dropout on the input of the BiLSTM, between its layers, and on the pooled vector, in [0, 1).
        pooling: How the vectors of all tokens become one vector.
        pair: Whether an example is a pair of texts.
    """

    def __init__(
        self,
        *,
        input_dim: int,
        output_dim: int,
        num_labels: int,
        hidden_dim: int,
        num_layers: int,
        dropout: float,
        pooling: Literal["max", "mean"],
        pair: bool = False,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.encoder = BiLstm(input_dim=input_dim, hidden_dim=hidden_dim, num_layers=num_layers, dropout=dropout)
        self.pool = {"max": max_pool, "mean": mean_pool}[pooling]
        self.output = nn.Linear(joined_width(self.encoder.output_dim + output_dim, pair=pair), num_labels)

    def forward(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label, float (batch, labels).

        Args:
            vectors: The token vectors of each text.
            batch: The examples.
        """
        pooled = [self._pooled(vectors[text], mask) for text, mask in batch.masks.items()]
        scores: Tensor = self.output(self.dropout(joined(pooled)))  # (batch, labels)
        return scores

    def _pooled(self, tokens: TokenVectors, mask: Tensor) -> Tensor:
        """Return one vector for each text, float (batch, 2 * hidden_dim + output_dim)."""
        encoded = self.encoder(self.dropout(tokens.input), mask)  # (batch, tokens, 2 * hidden_dim)
        encoded = tokens.join_output(encoded)  # (batch, tokens, 2 * hidden_dim + output_dim)
        return self.pool(encoded, mask)
