"""The biLM of ELMo: character CNN, and two stacks of projected LSTMs that never meet.

Source: Peters et al. 2018 (arXiv 1802.05365), section 3; exact operations as in the official code.
Parameters keep the layout of the official file, so that loading and exporting copy them unchanged.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.encoders.options import NUM_CHARACTERS, BiLmOptions, lstm_cell_name

_BLOCK = 2**22  # gates computed at once from the inputs: bounds memory on long sentences
_TABLE = 2**26  # gates of word types, at most, that are kept while a batch goes through the first layer


@dataclass(frozen=True)
class LstmState:
    """State of one LSTM: ``hidden`` (rows, projection_dim), ``cell`` (rows, lstm_dim)."""

    hidden: Tensor
    cell: Tensor


BiLmState = tuple[tuple[LstmState, ...], tuple[LstmState, ...]]  # [direction][layer]


@dataclass(frozen=True)
class Packing:
    """Sentences laid end to end without padding, and the order in which an LSTM visits them.

    Attributes:
        starts: first position of each sentence.
        batch_sizes: number of sentences that are longer than t, for each step t.
        orders: per direction, int64 (positions,): position visited, time-major.
    """

    starts: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    orders: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device | None = None) -> "Packing":
        """Lay out sentences of the given lengths, which must not increase and not be 0."""
        sizes = torch.tensor(lengths)  # (rows,)
        starts = torch.cumsum(sizes, 0) - sizes  # (rows,)
        steps = torch.arange(int(sizes[0]))  # (steps,)
        batch_sizes = (sizes[None, :] > steps[:, None]).sum(dim=1)  # (steps,)
        time = steps.repeat_interleave(batch_sizes)  # (positions,)
        first = torch.cumsum(batch_sizes, 0) - batch_sizes  # (steps,)
        row = torch.arange(len(time)) - first.repeat_interleave(batch_sizes)  # (positions,)
        forward, backward = starts[row] + time, starts[row] + sizes[row] - 1 - time  # (positions,)
        return cls(tuple(starts.tolist()), tuple(batch_sizes.tolist()), (forward.to(device), backward.to(device)))


class CharCnn(nn.Module):
    """Character ids of a word to its context-free vector."""

    def __init__(self, options: BiLmOptions) -> None:
        super().__init__()
        self.options = options
        n_filters = options.n_filters
        self.char_embed = nn.Parameter(torch.empty(NUM_CHARACTERS, options.char_dim))
        self.conv_weight = nn.ParameterList(torch.empty(1, w, options.char_dim, n) for w, n in options.filters)
        self.conv_bias = nn.ParameterList(torch.empty(n) for _, n in options.filters)
        highways = range(options.n_highway)
        self.carry_weight = nn.ParameterList(torch.empty(n_filters, n_filters) for _ in highways)
        self.carry_bias = nn.ParameterList(torch.empty(n_filters) for _ in highways)
        self.transform_weight = nn.ParameterList(torch.empty(n_filters, n_filters) for _ in highways)
        self.transform_bias = nn.ParameterList(torch.empty(n_filters) for _ in highways)
        if options.projects_words:
            self.proj_weight = nn.Parameter(torch.empty(n_filters, options.projection_dim))
            self.proj_bias = nn.Parameter(torch.empty(options.projection_dim))

    def forward(self, char_ids: Tensor) -> Tensor:
        """Map int64 (words, chars) to float (words, projection_dim).

        In-word padding is an ordinary character here: it takes part in the convolutions.
        """
        table = F.pad(self.char_embed, (0, 0, 1, 0))  # (262, char_dim): row 0, the mask id, is zero
        chars = F.embedding(char_ids, table).transpose(1, 2)  # (words, char_dim, chars)
        activation = torch.relu if self.options.activation == "relu" else torch.tanh
        convolved = []
        for weight, bias in zip(self.conv_weight, self.conv_bias, strict=True):
            windows = F.conv1d(chars, weight[0].permute(2, 1, 0), bias)  # (words, filters, windows)
            # amax is faster, but shares the gradient among windows that are equal.
            best = windows.max(dim=2).values if torch.is_grad_enabled() else windows.amax(dim=2)  # (words, filters)
            convolved.append(activation(best))
        words = torch.cat(convolved, dim=1)  # (words, n_filters)
        for k in range(self.options.n_highway):
            # The file's "carry" gate weights the transformed part, not what is carried.
            gate = torch.sigmoid(_affine(self.carry_bias[k], words, self.carry_weight[k]))  # (words, n_filters)
            transformed = torch.relu(_affine(self.transform_bias[k], words, self.transform_weight[k]))  # as gate
            words = gate * transformed + (1 - gate) * words  # (words, n_filters)
        if self.options.projects_words:
            words = _affine(self.proj_bias, words, self.proj_weight)  # (words, projection_dim)
        return words


class ProjectedLstm(nn.Module):
    """One LSTM layer of one direction, with clipped cell and clipped projected output."""

    def __init__(self, options: BiLmOptions) -> None:
        super().__init__()
        self.options = options
        dim, width = options.lstm_dim, options.projection_dim
        self.weight = nn.Parameter(torch.empty(2 * width, 4 * dim))  # rows: input, then recurrent
        self.bias = nn.Parameter(torch.empty(4 * dim))  # gate order of TensorFlow: input, candidate, forget, output
        if options.projects_states:
            self.projection = nn.Parameter(torch.empty(dim, width))

    def forward(
        self, inputs: Tensor, batch_sizes: Sequence[int], state: LstmState, *, rows: Tensor | None = None
    ) -> tuple[Tensor, LstmState]:
        """Run over packed sentences.

        Args:
            inputs: (positions, projection_dim), time-major; with ``rows`` (types, projection_dim).
            batch_sizes: rows at each step, not increasing.
            state: of the rows before the first step.
            rows: int64 (positions,): the row of ``inputs`` that a position takes, time-major; by default its own.

        Returns:
            outputs (positions, projection_dim), time-major, and each row's state after its last step.
        """
        recurrent_weight = self.weight[self.options.projection_dim :]  # (projection_dim, 4 * dim)
        hidden, cell = state.hidden, state.cell  # (rows, projection_dim), (rows, dim)
        outputs: list[Tensor] = []
        finished: list[tuple[Tensor, Tensor]] = []
        blocks = _blocks(batch_sizes, most=max(1, _BLOCK // self.weight.shape[1]))
        for block, block_gates in zip(blocks, self._input_gates(inputs, rows, blocks), strict=True):
            for step_gates in block_gates.split(block):  # (rows, 4 * dim)
                n = len(step_gates)
                if n < len(hidden):
                    finished.append((hidden[n:], cell[n:]))
                    hidden, cell = hidden[:n], cell[:n]
                hidden, cell = self._step(_added_product(step_gates, hidden, recurrent_weight), cell)
                outputs.append(hidden)
        finished.append((hidden, cell))
        last_hidden, last_cell = (torch.cat(parts[::-1]) for parts in zip(*finished, strict=True))
        return torch.cat(outputs), LstmState(last_hidden, last_cell)

    def _input_gates(self, inputs: Tensor, rows: Tensor | None, blocks: Sequence[Sequence[int]]) -> Iterator[Tensor]:
        """Yield what the inputs give to the gates of each block, (block, 4 * dim): a word type's is computed once."""
        weight = self.weight[: self.options.projection_dim]  # (projection_dim, 4 * dim)
        bias = self._run_time_bias()  # (4 * dim,)
        repeated = rows is not None and len(inputs) < len(rows) and len(inputs) * len(bias) <= _TABLE
        table = _affine(bias, inputs, weight) if repeated else None  # (types, 4 * dim)
        # Fresh memory costs more than the arithmetic; where no gradient needs it, a block goes where the last one was.
        room = None if torch.is_grad_enabled() else bias.new_empty(max(map(sum, blocks)), len(bias))
        start = 0
        for block in blocks:
            end = start + sum(block)
            out = None if room is None else room[: end - start]  # (block, 4 * dim)
            if rows is None:
                yield _affine(bias, inputs[start:end], weight, out=out)
            elif table is None:
                yield _affine(bias, inputs[rows[start:end]], weight, out=out)
            else:
                yield torch.index_select(table, 0, rows[start:end], out=out)
            start = end

    def _run_time_bias(self) -> Tensor:
        """Return the bias, (4 * dim,), with the 1 at the forget gate that is not in the file."""
        dim = self.options.lstm_dim
        return self.bias + F.pad(self.bias.new_ones(dim), (2 * dim, dim))

    def _step(self, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Map gates (rows, 4 * dim) and cell (rows, dim) to the new hidden and cell."""
        input_gate, candidate, forget_gate, output_gate = gates.chunk(4, dim=1)  # (rows, dim) each
        cell = torch.sigmoid(forget_gate) * cell + torch.sigmoid(input_gate) * _tanh(candidate)  # (rows, dim)
        if self.options.cell_clip is not None:
            cell = cell.clamp(-self.options.cell_clip, self.options.cell_clip)  # (rows, dim)
        hidden = torch.sigmoid(output_gate) * _tanh(cell)  # (rows, dim)
        if self.options.projects_states:
            hidden = (hidden.to(self.projection.dtype) @ self.projection).to(cell.dtype)  # (rows, projection_dim)
            if self.options.proj_clip is not None:
                hidden = hidden.clamp(-self.options.proj_clip, self.options.proj_clip)  # (rows, projection_dim)
        return hidden, cell


class BiLm(nn.Module):
    """Word vectors to layers of contextual vectors, in both directions."""

    def __init__(self, options: BiLmOptions) -> None:
        super().__init__()
        self.options = options
        self.char_cnn = CharCnn(options)
        self.directions = nn.ModuleList(
            nn.ModuleList(ProjectedLstm(options) for _ in range(options.n_layers)) for _ in range(2)
        )

    def zero_state(self, rows: int) -> BiLmState:
        """Return the all-zero state of ``rows`` sentences."""
        like, options = self.char_cnn.char_embed, self.options
        zero = LstmState(like.new_zeros(rows, options.projection_dim), like.new_zeros(rows, options.lstm_dim))
        return (zero,) * options.n_layers, (zero,) * options.n_layers

    def forward(self, words: Tensor, rows: Tensor, packing: Packing, state: BiLmState) -> tuple[Tensor, BiLmState]:
        """Run both directions over packed sentences that carry their boundary tokens.

        Args:
            words: (types, projection_dim).
            rows: int64 (positions,): the word of each position, sentences end to end, longest first.
            packing: the layout of the sentences.
            state: each row's state before its first step.

        Returns:
            layers (n_layers + 1, positions, 2 * projection_dim), layer 0 being the word vector twice, and
            each row's state afterwards.
        """
        layers = words.new_empty(self.options.n_layers + 1, len(rows), 2, self.options.projection_dim)
        layers[0] = words[rows][:, None]  # (positions, 1, projection_dim)
        after: list[tuple[LstmState, ...]] = []
        for d, order in enumerate(packing.orders):
            states = []
            run = self._run(d, words, rows[order], packing.batch_sizes, state[d])
            for layer, (output, last) in enumerate(run, start=1):
                layers[layer, :, d].index_copy_(0, order, output)
                states.append(last)
            after.append(tuple(states))
        return layers.flatten(2), (after[0], after[1])

    def _run(
        self, direction: int, words: Tensor, rows: Tensor, batch_sizes: Sequence[int], before: Sequence[LstmState]
    ) -> Iterator[tuple[Tensor, LstmState]]:
        """Yield each layer's output in one direction, (positions, projection_dim), time-major, and its last state."""
        lstms, inputs = self.directions[direction], words
        assert isinstance(lstms, nn.ModuleList)
        for layer, (lstm, state) in enumerate(zip(lstms, before, strict=True)):
            output, last = lstm(inputs, batch_sizes, state, rows=rows if layer == 0 else None)
            if layer > 0 and self.options.use_skip_connections:
                output = output + inputs  # the recurrent state stays the value before the addition
            yield output, last
            inputs = output


def map_state(state: BiLmState, function: Callable[[Tensor], Tensor]) -> BiLmState:
    """Apply a function to every tensor of a state."""

    def each(states: tuple[LstmState, ...]) -> tuple[LstmState, ...]:
        return tuple(LstmState(function(one.hidden), function(one.cell)) for one in states)

    return each(state[0]), each(state[1])


def official_names(options: BiLmOptions) -> dict[str, str]:
    """Map each parameter of a ``BiLm`` to its dataset in the official file."""
    names = {"char_cnn.char_embed": "char_embed"}
    for i in range(len(options.filters)):
        names[f"char_cnn.conv_weight.{i}"] = f"CNN/W_cnn_{i}"
        names[f"char_cnn.conv_bias.{i}"] = f"CNN/b_cnn_{i}"
    for k in range(options.n_highway):
        for gate in ("carry", "transform"):
            names[f"char_cnn.{gate}_weight.{k}"] = f"CNN_high_{k}/W_{gate}"
            names[f"char_cnn.{gate}_bias.{k}"] = f"CNN_high_{k}/b_{gate}"
    if options.projects_words:
        names |= {"char_cnn.proj_weight": "CNN_proj/W_proj", "char_cnn.proj_bias": "CNN_proj/b_proj"}
    for direction in range(2):
        for layer in range(options.n_layers):
            lstm, cell = f"directions.{direction}.{layer}", lstm_cell_name(direction, layer)
            names |= {f"{lstm}.weight": f"{cell}/W_0", f"{lstm}.bias": f"{cell}/B"}
            if options.projects_states:
                names[f"{lstm}.projection"] = f"{cell}/W_P_0"
    return names


def build_bilm(options: BiLmOptions, weights: Mapping[str, Tensor]) -> BiLm:
    """Return a frozen biLM with the given weights, by their official names."""
    with torch.device("meta"):
        bilm = BiLm(options)
    parameters = {name: weights[dataset] for name, dataset in official_names(options).items()}
    bilm.load_state_dict(parameters, assign=True)
    return bilm.eval().requires_grad_(False)


def _affine(bias: Tensor, left: Tensor, right: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return bias + left @ right: the product in the type of ``right`` or autocast, the sum in that of ``bias``."""
    if torch.is_grad_enabled() or right.dtype != bias.dtype:
        return torch.add(left.to(right.dtype) @ right, bias, out=out)
    return torch.addmm(bias, left, right, out=out)


def _added_product(values: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return values + left @ right likewise, in the place of ``values`` where no gradient needs them."""
    if torch.is_grad_enabled():
        return values + left.to(right.dtype) @ right
    if right.dtype != values.dtype:
        return values.add_(left.to(right.dtype) @ right)
    return values.addmm_(left, right)


def _tanh(values: Tensor) -> Tensor:
    """Return the tanh; without gradient by a sigmoid, which takes torch a third of the time."""
    if torch.is_grad_enabled():
        return torch.tanh(values)
    return (2 * values).sigmoid_().mul_(2).sub_(1)


def _blocks(batch_sizes: Sequence[int], *, most: int) -> list[list[int]]:
    """Cut the steps into runs of ``most`` positions, or of one step that has more."""
    blocks: list[list[int]] = [[]]
    filled = 0
    for rows in batch_sizes:
        if blocks[-1] and filled + rows > most:
            blocks.append([])
            filled = 0
        blocks[-1].append(rows)
        filled += rows
    return blocks
