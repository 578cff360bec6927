"""The LSTMs on a CPU: a fixed number of rows that are never empty, because each takes the next sentence at once.

In a batch of sentences, the last steps have few rows, and the first ones have more than the cache of a processor holds.
Here every step has the same number of rows: when a sentence ends, its row continues with the next one. ``BiLm`` shows
what is computed; a test checks that both give the same vectors.

The bits of a sentence's vectors depend on the sentence alone: not on the other rows of a product (``frozen_product``),
nor on the number of threads (``one_thread_each``).
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.encoders.bilm import BiLm, BiLmState
from harness.encoders.kernels.frozen_product import BLOCK, GRAIN, FrozenProduct, fill
from harness.encoders.kernels.lstm_steps import LstmState
from harness.encoders.kernels.one_thread_each import one_thread, one_thread_each
from harness.encoders.kernels.projected_lstm import ProjectedLstm


class Streams:
    """Both directions of a frozen biLM. It has a copy of the weights.

    Args:
        bilm: The biLM.
    """

    def __init__(self, bilm: BiLm) -> None:
        self._options = bilm.options
        with torch.inference_mode(), one_thread():
            self._directions = [[_Layer(lstm) for lstm in lstms] for lstms in bilm.directions]  # type: ignore

    def run(self, words: Tensor, places: Tensor, lengths: Sequence[int], start: BiLmState) -> Tensor:
        """Run over sentences.

        Args:
            words: Word vectors, float (types, projection_dim).
            places: Int64 (positions,), the row in ``words`` of each position, sentences end to end, longest first.
            lengths: Number of words of each sentence, at least 1.
            start: The state from which every sentence starts, of one row.

        Returns:
            Layers (n_layers + 1, positions, 2 * projection_dim), where layer 0 is the word vector twice.
        """
        width = self._options.projection_dim
        layers = words.new_empty(self._options.n_layers + 1, len(places), 2, width)
        layers[0] = words[places][:, None]  # (positions, 1, projection_dim)
        filled = fill(words)  # (types, width)
        groups = max(1, min(torch.get_num_threads() // 2, len(lengths) // BLOCK))
        schedules = [Schedule.of(lengths, first=group, every=groups) for group in range(groups)]

        def work(number: int) -> None:
            schedule, direction = schedules[number // 2], number % 2
            slots, positions = schedule.slots[direction], schedule.positions
            rows = places.new_zeros(schedule.steps * schedule.rows).index_copy_(0, slots, places[positions])
            vectors = filled[rows].unflatten(0, (schedule.steps, schedule.rows))  # (steps, rows, width)
            for layer, (lstm, state) in enumerate(zip(self._directions[direction], start[direction], strict=True)):
                skips = layer > 0 and self._options.use_skip_connections
                vectors = lstm.run(vectors, schedule.begins, state, skips=skips)  # (steps, rows, width)
                layers[layer + 1, positions, direction] = vectors.flatten(0, 1)[slots, :width]

        one_thread_each(work, 2 * groups)
        return layers.flatten(2)


class _Layer:
    """One LSTM layer of one direction."""

    def __init__(self, lstm: ProjectedLstm) -> None:
        self._options = options = lstm.options
        # tanh(x) is 2 * sigmoid(2 * x) - 1. With the candidate's weights doubled, all gates need the same function.
        scale = torch.tensor([1.0, 2.0, 1.0, 1.0])[:, None]  # (gates, 1)
        gates = lstm.weight.unflatten(1, (4, -1)) * scale.to(lstm.weight.dtype)  # (2 * projection_dim, gates, dim)
        weight = fill(fill(gates).unflatten(0, (2, -1)).transpose(1, 3), 1).transpose(1, 3)  # both widths filled
        bias = fill(lstm.run_time_bias().unflatten(0, (4, -1)) * scale)  # (gates, dim)
        self._gates = FrozenProduct(weight.flatten(0, 1).flatten(1), bias.flatten())
        self._dim = bias.shape[1]
        if options.projects_states:
            self._project = FrozenProduct(fill(-lstm.projection, 2))  # ``run`` computes the negative outputs

    def run(self, inputs: Tensor, begins: Sequence[Tensor | None], start: LstmState, *, skips: bool) -> Tensor:
        """Take all steps.

        Args:
            inputs: Float (steps, rows, width).
            begins: For each step, int64: the rows in which a sentence begins; None if there is none.
            start: The state of a sentence before its first step, of one row.
            skips: Whether the inputs are added to the outputs.

        Returns:
            Float (steps, rows, width).
        """
        _, rows, width = inputs.shape
        both = inputs.new_zeros(rows, 2 * width)  # the input of a step beside the hidden state
        entering, hidden = both.chunk(2, dim=1)  # (rows, width) each
        cell = inputs.new_zeros(rows, self._dim)
        new_hidden, new_cell = fill(start.hidden).expand(rows, -1), fill(start.cell).expand(rows, -1)
        outputs, squashed = torch.empty_like(inputs), torch.empty_like(cell)
        for vectors, output, begin in zip(inputs.unbind(), outputs.unbind(), begins, strict=True):
            if begin is not None:
                hidden.index_copy_(0, begin, new_hidden[: len(begin)])
                cell.index_copy_(0, begin, new_cell[: len(begin)])
            entering.copy_(vectors)
            input_gate, candidate, forget_gate, output_gate = self._gates(both).sigmoid_().chunk(4, dim=1)
            cell.mul_(forget_gate).addcmul_(input_gate, candidate, value=2).sub_(input_gate)  # (rows, dim)
            if self._options.cell_clip is not None:
                cell.clamp_(-self._options.cell_clip, self._options.cell_clip)
            torch.add(cell, cell, out=squashed).sigmoid_()
            negative = torch.addcmul(output_gate, output_gate, squashed, value=-2, out=squashed)  # (rows, dim)
            hidden.copy_(self._projected(negative))
            torch.add(hidden, vectors, out=output) if skips else output.copy_(hidden)
        return outputs

    def _projected(self, negative: Tensor) -> Tensor:
        """Map the negative of the outputs before projection, (rows, dim), to the hidden state, (rows, width)."""
        if not self._options.projects_states:
            return negative.neg_()
        hidden, clip = self._project(negative), self._options.proj_clip
        return hidden if clip is None else hidden.clamp_(-clip, clip)


@dataclass(frozen=True)
class Schedule:
    """When each sentence is read, and in which row. A slot is one row in one step.

    Attributes:
        steps: The number of steps.
        rows: The number of rows.
        positions: Int64 (tokens,): the positions of the tokens among those of all sentences.
        slots: For the forward and the backward direction, int64 (tokens,): the slot of each token.
        begins: For each step, int64: the rows in which a sentence begins; None if there is none.
    """

    steps: int
    rows: int
    positions: Tensor
    slots: tuple[Tensor, Tensor]
    begins: list[Tensor | None]

    @classmethod
    def of(cls, lengths: Sequence[int], *, first: int = 0, every: int = 1) -> "Schedule":
        """Assign every sentence, the longest first, to the row that is free first.

        Args:
            lengths: Number of words of each sentence, at least 1, longest first.
            first: The first sentence of the schedule.
            every: Only every n-th sentence from there is read.
        """
        own = lengths[first::every]
        rows = min(BLOCK, -(-sum(own) // own[0] // GRAIN) * GRAIN)  # no more than the longest sentence needs
        free = [(0, row) for row in range(rows)]  # the step from which each row is free
        begins: dict[int, list[int]] = {}
        slots: list[int] = []  # of the first word of each sentence
        for length in own:
            step, row = free[0]
            heapq.heapreplace(free, (step + length, row))
            begins.setdefault(step, []).append(row)
            slots.append(step * rows + row)
        steps = max(step for step, _ in free)
        sizes = torch.tensor(own)  # (sentences,)
        ends = torch.tensor(lengths).cumsum(0)[first::every]  # (sentences,)
        starts = ends - sizes  # (sentences,)
        word = torch.arange(sum(own)) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)  # (tokens,) in its sentence
        slot = torch.tensor(slots).repeat_interleave(sizes)  # (tokens,) of the first word
        last = sizes.repeat_interleave(sizes) - 1  # (tokens,)
        return cls(
            steps=steps,
            rows=rows,
            positions=starts.repeat_interleave(sizes) + word,
            slots=(slot + word * rows, slot + (last - word) * rows),
            begins=[torch.tensor(begins[step]) if step in begins else None for step in range(steps)],
        )
