"""The biLM as it is trained: the encoder's own network, dropout, and a softmax over words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.encoders.bilm import BiLm, official_names
from harness.encoders.char_ids import char_ids, without_padding
from harness.encoders.kernels.lstm_steps import LstmState
from harness.encoders.kernels.projected_lstm import ProjectedLstm
from harness.encoders.options import BiLmOptions
from harness.pretrain.softmax import Negatives, WordSoftmax

_TYPES_AT_ONCE = 256  # words whose characters are convolved at once
WindowState = tuple[LstmState, ...]  # of each layer, (directions, streams, dim)


@dataclass(frozen=True)
class Batch:
    """A window of both directions, ready for the network.

    Attributes:
        char_ids: int64 (types, chars): the different words of the window, by length, which saves convolutions.
        inputs: int64 (directions, steps, streams): rows of ``char_ids``.
        targets: int64 (directions, steps, streams): rows of the vocabulary.
    """

    char_ids: Tensor
    inputs: Tensor
    targets: Tensor

    @classmethod
    def of(cls, words: Sequence[str], inputs: Tensor, targets: Tensor, *, max_chars: int, device: str) -> "Batch":
        """Make a batch from the window's different words and their rows."""
        return cls(char_ids(words, max_chars=max_chars).to(device), inputs.to(device), targets.to(device))


class PretrainingNetwork(nn.Module):
    """A biLM with the softmax that trains it.

    Character CNN and softmax are shared by the directions, the LSTMs are not.

    Args:
        options: the architecture.
        vocabulary_size: words of the softmax.
        dropout: on the input of every LSTM layer and of the softmax.

    Source: Peters et al. 2018, section 3.1; dropout as in bilm-tf.
    """

    def __init__(self, options: BiLmOptions, *, vocabulary_size: int, dropout: float) -> None:
        super().__init__()
        self.options, self.dropout = options, dropout
        self.bilm = BiLm(options)
        self.softmax = WordSoftmax(size=vocabulary_size, dim=options.projection_dim)

    def zero_state(self, streams: int) -> WindowState:
        """Return the state before the first window."""
        like, options = self.softmax.weight, self.options
        zero = LstmState(
            like.new_zeros(2, streams, options.projection_dim), like.new_zeros(2, streams, options.lstm_dim)
        )
        return (zero,) * options.n_layers

    def forward(self, batch: Batch, state: WindowState, negatives: Negatives) -> tuple[Tensor, WindowState]:
        """Return the mean sampled loss of each direction, (directions,), and the state after the window."""
        top, after = self.contextual(batch, state)
        targets = batch.targets.flatten(1)  # (directions, positions)
        losses = self.softmax.sampled_nll(top.flatten(1, 2), targets, negatives)  # (directions,)
        return losses / targets.shape[1], after

    def contextual(self, batch: Batch, state: WindowState) -> tuple[Tensor, WindowState]:
        """Return the top layer, (directions, steps, streams, projection_dim), and the state after the window."""
        widest = max(width for width, _ in self.options.filters)
        parts = [
            self.bilm.char_cnn(without_padding(part, widest=widest)) for part in batch.char_ids.split(_TYPES_AT_ONCE)
        ]
        words = torch.cat(parts).to(self.softmax.weight.dtype)  # (types, projection_dim)
        vectors = F.embedding(batch.inputs, words)  # (directions, steps, streams, projection_dim)
        after: list[LstmState] = []
        for layer, before in enumerate(state):
            vectors = self._drop(vectors)
            output, last = run_window(self._layer(layer), vectors, before)  # (directions, steps, streams, width)
            skips = layer > 0 and self.options.use_skip_connections
            vectors = output + vectors if skips else output  # (directions, steps, streams, projection_dim)
            after.append(last)
        return self._drop(vectors), tuple(after)

    def _layer(self, layer: int) -> list[ProjectedLstm]:
        """Return a layer's LSTM of each direction."""
        return [cast(nn.ModuleList, lstms)[layer] for lstms in self.bilm.directions]  # type: ignore[misc]

    def _drop(self, vectors: Tensor) -> Tensor:
        return F.dropout(vectors, self.dropout, self.training)

    def load_official(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the biLM's weights, by their official names."""
        names = official_names(self.options)
        self.bilm.load_state_dict({parameter: weights[name] for parameter, name in names.items()})

    def official(self) -> dict[str, Tensor]:
        """Return the biLM's weights by their official names."""
        parameters = dict(self.bilm.named_parameters())
        return {name: parameters[parameter].detach() for parameter, name in official_names(self.options).items()}


def run_window(lstms: Sequence[ProjectedLstm], inputs: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
    """Run one layer over a window, each direction by its own LSTM.

    Under autocast the matrix products are of its type, all else is float32.

    Args:
        lstms: the layer's LSTM of each direction.
        inputs: (directions, steps, streams, projection_dim).
        state: before the first step: ``hidden`` (directions, streams, projection_dim), ``cell`` (directions,
            streams, lstm_dim); no gradient flows into it.

    Returns:
        outputs (directions, steps, streams, projection_dim), and the state after the last step, without gradient.
    """
    _, steps, streams, _ = inputs.shape
    outputs, hidden, cell = [], [], []
    for d, lstm in enumerate(lstms):
        before = LstmState(state.hidden[d], state.cell[d])
        output, last = lstm(inputs[d].flatten(0, 1), [streams] * steps, before)  # (steps * streams, projection_dim)
        outputs.append(output.unflatten(0, (steps, streams)))
        hidden.append(last.hidden.detach())
        cell.append(last.cell.detach())
    return torch.stack(outputs), LstmState(torch.stack(hidden), torch.stack(cell))
