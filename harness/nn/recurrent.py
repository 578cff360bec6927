"""Recurrent layers of task heads."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from harness.nn.fused_bilstm import Visits, bidirectional_lstm
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
        run = _run_packed if vectors.is_cuda else _run_ragged
        return _read_rows(self.lstm, vectors, mask, run)  # (batch, tokens, output_dim)


class BiGru(nn.Module):
    """A bidirectional GRU of one layer to which padding does not exist.

    Args:
        input_dim: width of the input, at least 1.
        hidden_dim: width of each direction, at least 1.
        std: weights are drawn from a normal of this deviation, cut at two deviations, and biases are 0; None: input
            weights Xavier uniform, hidden weights orthogonal gate by gate.
        packed: whether padding is packed away, or on a CPU run through with a closed gate, which trains up to twice as
            fast, the more so the longer the texts; the results differ in rounding alone.

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
        run = _run_packed if self._packed or vectors.is_cuda else _run_padded
        return _read_rows(self.gru, vectors, mask, run)  # (batch, tokens, output_dim)


Layer = TypeVar("Layer", nn.LSTM, nn.GRU)


def _read_rows(layer: Layer, vectors: Tensor, mask: Tensor, run: Callable[[Layer, Tensor, Tensor], Tensor]) -> Tensor:
    """Run a bidirectional layer over the tokens of each row alone; the output is 0 at padding."""
    if not mask.any():
        return vectors.new_zeros(*mask.shape, 2 * layer.hidden_size)
    return run(layer, vectors, mask)  # (batch, tokens, 2 * hidden_dim)


def _run_packed(layer: nn.LSTM | nn.GRU, vectors: Tensor, mask: Tensor) -> Tensor:
    # Packing refuses empty rows: they run for one step, whose output is masked.
    lengths = lengths_of_mask(mask).clamp(min=1).cpu()  # (batch,)
    packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
    output: Tensor = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=vectors.size(1))[0]
    return output.masked_fill(~mask.unsqueeze(2), 0.0)  # (batch, tokens, 2 * hidden_dim)


def _run_ragged(lstm: nn.LSTM, vectors: Tensor, mask: Tensor) -> Tensor:
    """Do without padding: what ``nn.LSTM`` computes, faster on a CPU."""
    visits = Visits.of(lengths_of_mask(mask))
    places = mask.flatten().nonzero().squeeze(1)  # (tokens,)
    inputs = vectors.flatten(0, 1).index_select(0, places)  # (tokens, input_dim)
    for index in range(lstm.num_layers):
        if index:
            inputs = F.dropout(inputs, lstm.dropout, lstm.training)  # (tokens, 2 * hidden_dim)
        weight, bias, recurrent, more = (
            [getattr(lstm, f"{name}_l{index}{end}") for end in ("", "_reverse")]
            for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
        )
        gates = F.linear(inputs, torch.cat(weight), torch.cat(bias) + torch.cat(more))  # (tokens, 8 * hidden_dim)
        inputs = bidirectional_lstm(gates, (recurrent[0], recurrent[1]), visits)  # (tokens, 2 * hidden_dim)
    output = inputs.new_zeros(mask.numel(), inputs.size(1)).index_copy(0, places, inputs)
    return output.unflatten(0, mask.shape)  # (batch, tokens, 2 * hidden_dim)


def _run_padded(gru: nn.GRU, vectors: Tensor, mask: Tensor) -> Tensor:
    """Keep the state 0 at padding, so that the backward direction meets its first token with a new state.

    One more input, 1 at padding, opens the update gate (1: the state stays). In float32 that is exact.
    """
    size = gru.hidden_size
    closed = vectors.new_zeros(3 * size, 1)  # gates: reset, update, new
    closed[size : 2 * size] = 1e4
    padding = ~mask.unsqueeze(2)  # (batch, tokens, 1)
    state = vectors.new_zeros(2, vectors.size(0), size)  # (directions, batch, hidden_dim)
    inputs = torch.cat([vectors.masked_fill(padding, 0.0), padding.to(vectors.dtype)], dim=2)
    weights = []
    for end in ("l0", "l0_reverse"):
        weights += [torch.cat([getattr(gru, f"weight_ih_{end}"), closed], dim=1)]
        weights += [getattr(gru, f"{name}_{end}") for name in ("weight_hh", "bias_ih", "bias_hh")]
    # has biases, layers, dropout, training, bidirectional, batch first
    output: Tensor = torch.gru(inputs, state, weights, True, 1, 0.0, gru.training, True, True)[0]
    return output.masked_fill(padding, 0.0)  # (batch, tokens, 2 * hidden_dim)
