"""The biLM in training: the network of the encoder, with dropout and a softmax over words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.encoders.bilm import BiLm, official_names
from harness.encoders.char_ids import without_padding
from harness.encoders.kernels.lstm_steps import LstmState
from harness.encoders.kernels.projected_lstm import ProjectedLstm
from harness.encoders.options import BiLmOptions
from harness.pretrain.softmax import Negatives, WordSoftmax
from harness.pretrain.window_lstm import window_lstm

_TYPES_AT_ONCE = 256  # words whose characters are convolved at the same time
WindowState = tuple[LstmState, ...]  # per layer: tensors of (directions, streams, dim)


@dataclass(frozen=True)
class Batch:
    """One window in both directions, as tensors.

    Attributes:
        char_ids: int64 (types, chars): the different words of the window. Sorted by length, they need the fewest
            convolutions.
        inputs: int64 (directions, steps, streams): rows of ``char_ids``.
        targets: int64 (directions, steps, streams): rows of the vocabulary.
    """

    char_ids: Tensor
    inputs: Tensor
    targets: Tensor


class PretrainingNetwork(nn.Module):
    """A biLM with a softmax. The directions share the character CNN and the softmax, but not the LSTMs.

    Args:
        options: The architecture.
        vocabulary_size: Number of words of the softmax.
        dropout: Probability of dropping an input of an LSTM layer or of the softmax.

    Source: Peters et al. 2018, section 3.1; dropout as in bilm-tf.
    """

    def __init__(self, *, options: BiLmOptions, vocabulary_size: int, dropout: float) -> None:
        super().__init__()
        self.options, self._drop = options, nn.Dropout(dropout)
        self.bilm = BiLm(options)
        self.softmax = WordSoftmax(size=vocabulary_size, dim=options.projection_dim)

    def zero_state(self, streams: int) -> WindowState:
        """Return the all-zero state before the first window of ``streams`` streams."""
        widths = self.options.projection_dim, self.options.lstm_dim  # of ``hidden`` and ``cell``
        zero = LstmState(*(self.softmax.weight.new_zeros(2, streams, width) for width in widths))
        return (zero,) * self.options.n_layers

    def forward(self, batch: Batch, state: WindowState, negatives: Negatives) -> tuple[Tensor, WindowState]:
        """Return the loss of each direction and the state after the window.

        Args:
            batch: One window.
            state: The state before the window.
            negatives: The words that the softmax samples, the same for all positions.

        Returns:
            The mean sampled loss, (directions,), in nats, and the state to begin the next window with.
        """
        top, after = self.contextual(batch, state)
        targets = batch.targets.flatten(1)  # (directions, positions)
        losses = self.softmax.sampled_nll(top.flatten(1, 2), targets, negatives)  # (directions,)
        return losses / targets.shape[1], after

    def contextual(self, batch: Batch, state: WindowState) -> tuple[Tensor, WindowState]:
        """Return the top layer, (directions, steps, streams, projection_dim), and the state after the window.

        Args:
            batch: One window; its targets are not used.
            state: The state before the window.
        """
        widest = max(width for width, _ in self.options.filters)
        parts = [
            self.bilm.char_cnn(without_padding(part, widest=widest)) for part in batch.char_ids.split(_TYPES_AT_ONCE)
        ]
        words = torch.cat(parts).to(self.softmax.weight.dtype)  # (types, projection_dim)
        vectors = F.embedding(batch.inputs, words)  # (directions, steps, streams, projection_dim)
        after: list[LstmState] = []
        for layer, before in enumerate(state):
            vectors = self._drop(vectors)
            lstms = [direction[layer] for direction in self.bilm.directions]  # type: ignore[index]
            output, last = run_window(lstms, vectors, before)  # (directions, steps, streams, projection_dim)
            skips = layer > 0 and self.options.use_skip_connections
            vectors = output + vectors if skips else output  # (directions, steps, streams, projection_dim)
            after.append(last)
        return self._drop(vectors), tuple(after)

    def load_official(self, weights: Mapping[str, Tensor]) -> None:
        """Load the biLM's weights, given by their official names."""
        names = official_names(self.options)
        self.bilm.load_state_dict({parameter: weights[name] for parameter, name in names.items()})

    def official(self) -> dict[str, Tensor]:
        """Return the biLM's weights, by their official names."""
        parameters = dict(self.bilm.named_parameters())
        return {name: parameters[parameter].detach() for parameter, name in official_names(self.options).items()}


def run_window(lstms: Sequence[ProjectedLstm], inputs: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
    """Run one layer over a window, each direction with its own LSTM.

    Args:
        lstms: The two LSTMs of the layer, one per direction.
        inputs: (directions, steps, streams, projection_dim).
        state: The state before the first step: ``hidden`` (directions, streams, projection_dim) and ``cell``
            (directions, streams, lstm_dim). No gradient flows into it.

    Returns:
        The outputs, (directions, steps, streams, projection_dim), and the state after the last step, detached.
    """
    outputs, hidden, cell = [], [], []
    for d, lstm in enumerate(lstms):
        output, last = window_lstm(lstm, inputs[d], LstmState(state.hidden[d], state.cell[d]))
        outputs.append(output)  # (steps, streams, projection_dim)
        hidden.append(last.hidden)
        cell.append(last.cell)
    return torch.stack(outputs), LstmState(torch.stack(hidden), torch.stack(cell))
