"""The algorithm of AllenNLP, written independently: the baseline for the speed of the encoder.

It works as in AllenNLP 2.10 (``Elmo``, ``ElmoLstm``, ``LstmCellWithProjection``): sentences are padded to batches; the
character CNN runs on all character positions of every token; then each layer and direction runs a Python loop over time
steps, which multiplies the input and the state separately. The code is our own, and the outputs are equal.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from harness.encoders.bilm import CharCnn
from harness.encoders.char_ids import BOS, EOS, char_ids
from harness.encoders.options import BiLmOptions
from harness.types import Sentence


class ReferenceElmo:
    """The biLM, which starts each sentence from the zero state.

    Args:
        options: The architecture.
        weights: The weights, keyed by their official dataset names.
        char_cnn: The encoder's character CNN with the same weights. Only its input differs: the baseline calls it for
            every token, not for every word type.
    """

    def __init__(self, options: BiLmOptions, weights: Mapping[str, Tensor], char_cnn: CharCnn) -> None:
        self._options, self._char_cnn, self._device = options, char_cnn, "cpu"
        self._cells = [
            [
                _Cell(options, weights, f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell")
                for layer in range(options.n_layers)
            ]
            for direction in range(2)
        ]

    def to(self, device: str) -> "ReferenceElmo":
        """Move all weights to a device, and return this object."""
        self._device = device
        for module in (self._char_cnn, *(linear for cells in self._cells for cell in cells for linear in cell.linears)):
            module.to(device)
        return self

    @torch.inference_mode()
    def encode(self, sentences: Sequence[Sentence], *, batch_size: int = 32) -> Iterator[tuple[int, Tensor]]:
        """Yield the index and the float32 layers (layers, tokens, dim) of each sentence, the longest first."""
        order = sorted(range(len(sentences)), key=lambda i: -len(sentences[i]))
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            layers = self._batch([sentences[i] for i in indices])  # (layers, rows, steps, dim)
            for row, i in enumerate(indices):
                yield i, layers[:, row, 1 : 1 + len(sentences[i])]

    def _batch(self, batch: Sequence[Sentence]) -> Tensor:
        lengths = [len(sentence) + 2 for sentence in batch]
        slots = self._options.max_chars
        ids = torch.zeros(len(batch), lengths[0], slots, dtype=torch.int64)  # (rows, steps, chars); 0 is padding
        for row, sentence in enumerate(batch):
            ids[row, : lengths[row]] = char_ids((BOS, *sentence, EOS), max_chars=slots)
        words = self._char_cnn(ids.flatten(0, 1).to(self._device)).unflatten(0, ids.shape[:2])  # (rows, steps, width)
        layers = [torch.cat([words, words], dim=2)]  # (rows, steps, dim)
        both = [words, words]  # per direction
        for layer in range(self._options.n_layers):
            for direction in range(2):
                inputs = both[direction]
                outputs = self._cells[direction][layer].run(inputs, lengths, backwards=direction == 1)
                skip = layer > 0 and self._options.use_skip_connections
                both[direction] = outputs + inputs if skip else outputs
            layers.append(torch.cat(both, dim=2))
        return torch.stack(layers)


class _Cell:
    """One LSTM layer of one direction."""

    def __init__(self, options: BiLmOptions, weights: Mapping[str, Tensor], name: str) -> None:
        self._options, width = options, options.projection_dim
        packed = weights[f"{name}/W_0"]  # (2 * width, 4 * dim)
        bias = weights[f"{name}/B"].clone()  # (4 * dim,)
        bias[2 * options.lstm_dim : 3 * options.lstm_dim] += 1  # the forget gate's
        self._input = _linear(packed[:width].t())
        self._state = _linear(packed[width:].t(), bias)
        self._projection = _linear(weights[f"{name}/W_P_0"].t())
        self.linears = self._input, self._state, self._projection

    def run(self, inputs: Tensor, lengths: Sequence[int], *, backwards: bool) -> Tensor:
        """Map (rows, steps, width) to (rows, steps, width); lengths must not increase."""
        rows, steps, width = inputs.shape
        options = self._options
        outputs = inputs.new_zeros(rows, steps, width)
        hidden, cell = inputs.new_zeros(rows, width), inputs.new_zeros(rows, options.lstm_dim)
        for t in reversed(range(steps)) if backwards else range(steps):
            n = sum(length > t for length in lengths)  # rows that have a token here
            gates = self._input(inputs[:n, t]) + self._state(hidden[:n])  # (n, 4 * dim)
            in_gate, candidate, forget, out_gate = gates.chunk(4, dim=1)
            memory = torch.sigmoid(in_gate) * torch.tanh(candidate) + torch.sigmoid(forget) * cell[:n]
            memory = _clipped(memory, options.cell_clip)
            output = self._projection(torch.sigmoid(out_gate) * torch.tanh(memory))  # (n, width)
            output = _clipped(output, options.proj_clip)
            hidden, cell = hidden.clone(), cell.clone()
            hidden[:n], cell[:n], outputs[:n, t] = output, memory, output
        return outputs


def _clipped(values: Tensor, limit: float | None) -> Tensor:
    return values if limit is None else values.clamp(-limit, limit)


def _linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    made.weight.data = weight.contiguous()
    if bias is not None:
        made.bias.data = bias
    return made.requires_grad_(False)
