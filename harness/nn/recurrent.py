"""Recurrent layers of task heads."""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from harness.nn.masking import lengths_of_mask


class BiLstm(nn.Module):
    """A bidirectional LSTM to which padding does not exist.

    Initial values: input weights Xavier uniform, hidden weights orthogonal gate by gate, biases 0
    but for the forget gate's, which is 1 (``nn.LSTM`` adds two bias vectors; the other stays 0).

    Args:
        input_dim: width of the input, at least 1.
        hidden_dim: width of each direction, at least 1.
        num_layers: number of layers, at least 1.
        dropout: probability in [0, 1] of dropping a value between two layers; one layer has none.

    Source: Hochreiter and Schmidhuber 1997; forget bias, Jozefowicz et al. 2015.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, num_layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            input_dim,
            hidden_dim,
            num_layers=num_layers,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=True,
            batch_first=True,
        )
        self.reset_parameters()

    @property
    def output_dim(self) -> int:
        """Width of the output: both directions."""
        return 2 * self.lstm.hidden_size

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        forget = slice(self.lstm.hidden_size, 2 * self.lstm.hidden_size)  # gates: input, forget, cell, output
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            elif name.startswith("weight_hh"):
                for gate in parameter.data.chunk(4):  # (hidden_dim, hidden_dim)
                    nn.init.orthogonal_(gate)
            else:
                nn.init.zeros_(parameter)
                if name.startswith("bias_ih"):
                    nn.init.ones_(parameter.data[forget])

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Read each row from both ends.

        Args:
            vectors: float (batch, tokens, input_dim).
            mask: bool (batch, tokens), right-padded; rows may be empty and in any order.

        Returns:
            float (batch, tokens, output_dim), forward direction first, 0 at padding.

        Raises:
            ValueError: a token follows padding.
        """
        return _read_rows(self.lstm, vectors, mask)  # (batch, tokens, output_dim)


class BiGru(nn.Module):
    """A bidirectional GRU of one layer to which padding does not exist.

    Args:
        input_dim: width of the input, at least 1.
        hidden_dim: width of each direction, at least 1.
        std: weights are drawn from a normal of this deviation, cut at two deviations, and biases are 0; None: input
            weights Xavier uniform, hidden weights orthogonal gate by gate.

    Source: Cho et al. 2014; in the form of cuDNN, where the reset gate acts on the product with the hidden state.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, std: float | None = None) -> None:
        super().__init__()
        self.gru = nn.GRU(input_dim, hidden_dim, bidirectional=True, batch_first=True)
        self._std = std
        self.reset_parameters()

    @property
    def output_dim(self) -> int:
        """Width of the output: both directions."""
        return 2 * self.gru.hidden_size

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        for name, parameter in self.gru.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            elif self._std is not None:
                nn.init.trunc_normal_(parameter, std=self._std, a=-2 * self._std, b=2 * self._std)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            else:
                for gate in parameter.data.chunk(3):  # (hidden_dim, hidden_dim): reset, update, new
                    nn.init.orthogonal_(gate)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Read each row from both ends; arguments, result and errors as for ``BiLstm``."""
        return _read_rows(self.gru, vectors, mask)  # (batch, tokens, output_dim)


def _read_rows(layer: nn.LSTM | nn.GRU, vectors: Tensor, mask: Tensor) -> Tensor:
    """Run a bidirectional layer over the tokens of each row alone; the output is 0 at padding."""
    batch, tokens, _ = vectors.shape
    lengths = lengths_of_mask(mask)  # (batch,)
    if batch == 0 or tokens == 0:
        return vectors.new_zeros(batch, tokens, 2 * layer.hidden_size)
    # Packing refuses empty rows: they run for one step, whose output is masked.
    packed = pack_padded_sequence(vectors, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
    output, _ = pad_packed_sequence(
        layer(packed)[0], batch_first=True, total_length=tokens
    )  # (batch, tokens, 2 * hidden_dim)
    return output.masked_fill(~mask.unsqueeze(2), 0.0)  # (batch, tokens, 2 * hidden_dim)
