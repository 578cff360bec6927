"""Recurrent layers of task heads."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
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
        packed: whether padding is packed away, or on a CPU run through with a closed gate, which trains up to twice as
            fast, the more so the longer the texts; the results differ in rounding alone.

    Source: Hochreiter and Schmidhuber 1997; forget bias, Jozefowicz et al. 2015.
    """

    def __init__(
        self, *, input_dim: int, hidden_dim: int, num_layers: int = 1, dropout: float = 0.0, packed: bool = True
    ) -> None:
        super().__init__()
        self._packed = packed
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
        return _read_rows(self.lstm, vectors, mask, self._packed)  # (batch, tokens, output_dim)


class BiGru(nn.Module):
    """A bidirectional GRU of one layer to which padding does not exist.

    Args:
        input_dim: width of the input, at least 1.
        hidden_dim: width of each direction, at least 1.
        std: weights are drawn from a normal of this deviation, cut at two deviations, and biases are 0; None: input
            weights Xavier uniform, hidden weights orthogonal gate by gate.
        packed: as of ``BiLstm``.

    Source: Cho et al. 2014; in the form of cuDNN, where the reset gate acts on the product with the hidden state.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, std: float | None = None, packed: bool = True) -> None:
        super().__init__()
        self._packed = packed
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
        return _read_rows(self.gru, vectors, mask, self._packed)  # (batch, tokens, output_dim)


def _read_rows(layer: nn.LSTM | nn.GRU, vectors: Tensor, mask: Tensor, packed: bool) -> Tensor:
    """Run a bidirectional layer over the tokens of each row alone; the output is 0 at padding."""
    batch, tokens, _ = vectors.shape
    lengths = lengths_of_mask(mask)  # (batch,)
    if batch == 0 or tokens == 0:
        return vectors.new_zeros(batch, tokens, 2 * layer.hidden_size)
    output = _run_packed(layer, vectors, lengths) if packed or vectors.is_cuda else _run_padded(layer, vectors, mask)
    return output.masked_fill(~mask.unsqueeze(2), 0.0)  # (batch, tokens, 2 * hidden_dim)


def _run_packed(layer: nn.LSTM | nn.GRU, vectors: Tensor, lengths: Tensor) -> Tensor:
    # Packing refuses empty rows: they run for one step, whose output is masked.
    packed = pack_padded_sequence(vectors, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
    output: Tensor = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=vectors.size(1))[0]
    return output  # (batch, tokens, 2 * hidden_dim)


def _run_padded(layer: nn.LSTM | nn.GRU, vectors: Tensor, mask: Tensor) -> Tensor:
    """Keep the state 0 at padding, so that the backward direction meets its first token with a new state.

    One more input, 1 at padding, closes the LSTM's input gate (0: nothing enters an empty cell) or opens the GRU's
    update gate (1: the state stays). In float32 both are exact.
    """
    size, is_lstm = layer.hidden_size, isinstance(layer, nn.LSTM)
    closed = vectors.new_zeros((4 if is_lstm else 3) * size, 1)  # gates: input, ... or reset, update, new
    closed[slice(0, size) if is_lstm else slice(size, 2 * size)] = -1e4 if is_lstm else 1e4
    padding = ~mask.unsqueeze(2)  # (batch, tokens, 1)
    state = vectors.new_zeros(2, vectors.size(0), size)  # (directions, batch, hidden_dim)
    for index in range(layer.num_layers):
        if index:
            vectors = F.dropout(vectors, layer.dropout, layer.training)  # (batch, tokens, 2 * hidden_dim)
        vectors = torch.cat([vectors.masked_fill(padding, 0.0), padding.to(vectors.dtype)], dim=2)
        weights = []
        for end in (f"l{index}", f"l{index}_reverse"):
            weights += [torch.cat([getattr(layer, f"weight_ih_{end}"), closed], dim=1)]
            weights += [getattr(layer, f"{name}_{end}") for name in ("weight_hh", "bias_ih", "bias_hh")]
        # has biases, layers, dropout, training, bidirectional, batch first
        options = (True, 1, 0.0, layer.training, True, True)
        if is_lstm:
            vectors = torch.lstm(vectors, (state, state), weights, *options)[0]  # (batch, tokens, 2 * hidden_dim)
        else:
            vectors = torch.gru(vectors, state, weights, *options)[0]  # (batch, tokens, 2 * hidden_dim)
    return vectors  # (batch, tokens, 2 * hidden_dim)
