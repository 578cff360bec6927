"""Recurrent layers of task heads: a bidirectional LSTM and a bidirectional GRU that ignore padding."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from harness.nn.masking import lengths_of_mask
from harness.nn.similar_lengths import padded_orders, to_padded, to_tokens


class BiLstm(nn.Module):
    """A bidirectional LSTM that ignores padding.

    Initial values: input weights Xavier uniform, hidden weights orthogonal for each gate, biases 0, except 1 for the
    forget gate. (``nn.LSTM`` adds two bias vectors; the second one is 0 everywhere.)

    Args:
        input_dim: Width of the input, at least 1.
        hidden_dim: Width of each direction, at least 1.
        num_layers: Number of layers, at least 1.
        dropout: Probability in [0, 1] of dropping a value between two layers; it has no effect with one layer.

    Source: Hochreiter and Schmidhuber 1997; forget bias, Jozefowicz et al. 2015.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, num_layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        between = dropout if num_layers > 1 else 0.0
        self.lstm = nn.LSTM(input_dim, hidden_dim, num_layers, dropout=between, bidirectional=True, batch_first=True)
        forget = slice(hidden_dim, 2 * hidden_dim)  # order of the gates: input, forget, candidate, output
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

    @property
    def output_dim(self) -> int:
        """Width of the output: both directions."""
        return 2 * self.lstm.hidden_size

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Read each row from both ends.

        Args:
            vectors: Float (batch, tokens, input_dim).
            mask: Bool (batch, tokens), right-padded; rows may be empty, and may have any order.

        Returns:
            Float (batch, tokens, output_dim), forward direction first, 0 at padding.

        Raises:
            ValueError: A token follows padding.
        """
        if not mask.any():
            return vectors.new_zeros(*mask.shape, self.output_dim)
        run = _run_packed if vectors.is_cuda else _run_by_length
        return run(self.lstm, vectors, mask)  # (batch, tokens, output_dim)


class BiGru(nn.Module):
    """A bidirectional GRU of one layer that ignores padding.

    Args:
        input_dim: Width of the input, at least 1.
        hidden_dim: Width of each direction, at least 1.
        std: Standard deviation of the normal distribution of the initial weights, which is cut at two standard
            deviations; the biases start at 0.

    Source: Cho et al. 2014; in the form of cuDNN, where the reset gate acts on the product with the hidden state.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, std: float) -> None:
        super().__init__()
        self.gru = nn.GRU(input_dim, hidden_dim, bidirectional=True, batch_first=True)
        for name, parameter in self.gru.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std)

    @property
    def output_dim(self) -> int:
        """Width of the output: both directions."""
        return 2 * self.gru.hidden_size

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Read each row from both ends.

        Args:
            vectors: Float (batch, tokens, input_dim).
            mask: Bool (batch, tokens), right-padded; rows may be empty, and may have any order.

        Returns:
            Float (batch, tokens, output_dim), forward direction first, 0 at padding.
        """
        if not mask.any():
            return vectors.new_zeros(*mask.shape, self.output_dim)
        run = _run_packed if vectors.is_cuda else _run_through_padding
        return run(self.gru, vectors, mask)  # (batch, tokens, output_dim)


def _run_packed(layer: nn.LSTM | nn.GRU, vectors: Tensor, mask: Tensor) -> Tensor:
    """Run a layer with torch's own packing, which is the fastest way on a GPU."""
    # Packing refuses empty rows: they run for one step, and the output of this step is masked.
    lengths = lengths_of_mask(mask).clamp(min=1).cpu()  # (batch,)
    packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
    output: Tensor = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=vectors.size(1))[0]
    return output.masked_fill(~mask.unsqueeze(2), 0.0)  # (batch, tokens, 2 * hidden_dim)


def _run_by_length(lstm: nn.LSTM, vectors: Tensor, mask: Tensor) -> Tensor:
    """Compute what a packed ``nn.LSTM`` computes, about twice as fast on a CPU."""
    places = mask.flatten().nonzero().squeeze(1)  # (tokens,)
    inputs = vectors.flatten(0, 1).index_select(0, places)  # (tokens, input_dim)
    orders, shapes = padded_orders(lengths_of_mask(mask).tolist())
    for index in range(lstm.num_layers):
        if index:
            inputs = F.dropout(inputs, lstm.dropout, lstm.training)  # (tokens, 2 * hidden_dim)
        outputs = []
        for end, order in zip(("", "_reverse"), orders, strict=True):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights = [getattr(lstm, f"{name}_l{index}{end}") for name in names]
            states = []
            rows = to_padded(inputs, order)  # (places of all groups, width)
            for group, shape in zip(rows.split([steps * count for steps, count in shapes]), shapes, strict=True):
                zero = rows.new_zeros(1, shape[1], lstm.hidden_size)  # (1, rows, hidden_dim)
                # The last arguments: has biases, layers, dropout, training, bidirectional, batch first.
                found = torch.lstm(group.unflatten(0, shape), (zero, zero), weights, True, 1, 0.0, True, False, False)
                states.append(found[0].flatten(0, 1))  # (steps * rows, hidden_dim)
            outputs.append(to_tokens(torch.cat(states) if len(states) > 1 else states[0], order))
        inputs = torch.cat(outputs, dim=1)  # (tokens, 2 * hidden_dim)
    output = inputs.new_zeros(mask.numel(), inputs.size(1)).index_copy(0, places, inputs)
    return output.unflatten(0, mask.shape)  # (batch, tokens, 2 * hidden_dim)


def _run_through_padding(gru: nn.GRU, vectors: Tensor, mask: Tensor) -> Tensor:
    """Compute what a packed ``nn.GRU`` computes, up to twice as fast on a CPU when the rows are long.

    An additional input, 1 at padding, sets the update gate to 1 there, so the state does not change and the backward
    direction reaches its first token with the zero state. In float32 this is exact.
    """
    size = gru.hidden_size
    closed = vectors.new_zeros(3 * size, 1)  # order of the gates: reset, update, new
    closed[size : 2 * size] = 1e4
    padding = ~mask.unsqueeze(2)  # (batch, tokens, 1)
    state = vectors.new_zeros(2, vectors.size(0), size)  # (directions, batch, hidden_dim)
    inputs = torch.cat([vectors.masked_fill(padding, 0.0), padding.to(vectors.dtype)], dim=2)
    weights = []
    for end in ("l0", "l0_reverse"):
        weights += [torch.cat([getattr(gru, f"weight_ih_{end}"), closed], dim=1)]
        weights += [getattr(gru, f"{name}_{end}") for name in ("weight_hh", "bias_ih", "bias_hh")]
    # The last arguments: has biases, layers, dropout, training, bidirectional, batch first.
    output: Tensor = torch.gru(inputs, state, weights, True, 1, 0.0, gru.training, True, True)[0]
    return output.masked_fill(padding, 0.0)  # (batch, tokens, 2 * hidden_dim)
