"""The BiLSTM tagger."""

from torch import Tensor, nn

from harness.nn.recurrent import BiLstm
from harness.types import TokenVectors


class BiLstmTagger(nn.Module):
    """Token vectors -> BiLSTM -> linear.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that are joined to the output of the BiLSTM; 0 for none.
        num_labels: The number of labels.
        hidden_dim: The number of cells in each direction.
        num_layers: The number of layers.
        dropout: The dropout on the input of the BiLSTM, between its layers, and on its output.
    """

    def __init__(
        self, *, input_dim: int, output_dim: int, num_labels: int, hidden_dim: int, num_layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.encoder = BiLstm(input_dim=input_dim, hidden_dim=hidden_dim, num_layers=num_layers, dropout=dropout)
        self.to_labels = nn.Linear(self.encoder.output_dim + output_dim, num_labels)

    def forward(self, tokens: TokenVectors, mask: Tensor) -> Tensor:
        """Return the score of each label at each token, float (batch, tokens, labels).

        Args:
            tokens: The vectors of a text.
            mask: bool (batch, tokens).
        """
        encoded = self.encoder(self.dropout(tokens.input), mask)  # (batch, tokens, 2 * hidden_dim)
        encoded = tokens.join_output(encoded)  # (batch, tokens, 2 * hidden_dim + output_dim)
        scores: Tensor = self.to_labels(self.dropout(encoded))  # (batch, tokens, labels)
        return scores
