"""One LSTM layer of one direction, with projected output, clipped cell and clipped output, for inference.

Source: Sak et al. 2014 (arXiv 1402.1128), with the clipping of the official ELMo code.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.encoders.kernels.cuda_graphs import captured_steps
from harness.encoders.kernels.fused_cell import fused_cell
from harness.encoders.kernels.lstm_steps import LstmState, Steps
from harness.encoders.kernels.mixed_matmul import affine, product
from harness.encoders.options import BiLmOptions

_BLOCK = 2**22  # greatest number of gates that are computed together from the inputs: it limits memory
_TABLE = 2**27  # greatest number of gates of word types that a direction keeps during its first layer


class ProjectedLstm(nn.Module):
    """One LSTM layer of one direction, with clipped cell and clipped projected output. It computes without a gradient.

    Args:
        options: The architecture.
    """

    def __init__(self, options: BiLmOptions) -> None:
        super().__init__()
        self.options = options
        dim, width = options.lstm_dim, options.projection_dim
        self.weight = nn.Parameter(torch.empty(2 * width, 4 * dim))  # rows: input, then recurrent
        self.bias = nn.Parameter(torch.empty(4 * dim))  # gates as in TensorFlow: input, candidate, forget, output
        if options.projects_states:
            self.projection = nn.Parameter(torch.empty(dim, width))

    def forward(
        self, inputs: Tensor, batch_sizes: Sequence[int], state: LstmState, *, rows: Tensor | None = None
    ) -> tuple[Tensor, LstmState]:
        """Run over packed sentences.

        Args:
            inputs: Float (positions, projection_dim), time-major; with ``rows``, float (types, projection_dim).
            batch_sizes: Number of rows at each step, not increasing.
            state: The state of the rows before the first step.
            rows: Int64 (positions,), the row of ``inputs`` for each position, time-major; None: its own row.

        Returns:
            Outputs (positions, projection_dim), time-major, and the state of each row after its last step.
        """
        steps = captured_steps(self, self.step, state, batch_sizes) or Steps(self.step, state)
        blocks = _blocks(batch_sizes, most=max(1, _BLOCK // self.weight.shape[1]))
        outputs: list[Tensor] = []
        finished: list[tuple[Tensor, Tensor]] = []
        for block, block_gates in zip(blocks, self._input_gates(inputs, rows, blocks), strict=True):
            for gates in block_gates.split(block):  # (rows, 4 * dim)
                if len(gates) < steps.rows:
                    finished.append(steps.finish(len(gates)))
                outputs.append(steps.take(gates))
        finished.append(steps.finish(0))
        last_hidden, last_cell = (torch.cat(parts[::-1]) for parts in zip(*finished, strict=True))
        return torch.cat(outputs), LstmState(last_hidden, last_cell)

    def step(self, gates: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Take one step.

        Args:
            gates: Float (rows, 4 * dim), the part from the inputs; overwritten.
            hidden: Float (rows, projection_dim).
            cell: Float (rows, dim).

        Returns:
            The new hidden and cell.
        """
        recurrent = self.weight[self.options.projection_dim :]  # (projection_dim, 4 * dim)
        gates = affine(gates, hidden, recurrent, out=gates)  # (rows, 4 * dim)
        update = fused_cell(gates, self.options.cell_clip) or self._cell
        cell, hidden = update(gates, cell)  # (rows, dim) each
        if self.options.projects_states:
            hidden = product(hidden, self.projection).to(cell.dtype)  # (rows, projection_dim)
            if self.options.proj_clip is not None:
                hidden = hidden.clamp(-self.options.proj_clip, self.options.proj_clip)  # (rows, projection_dim)
        return hidden, cell

    def _cell(self, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Map gates (rows, 4 * dim) and cell (rows, dim) to the new cell and the output before projection."""
        input_gate, candidate, forget_gate, output_gate = gates.chunk(4, dim=1)  # (rows, dim) each
        cell = torch.sigmoid(forget_gate) * cell + torch.sigmoid(input_gate) * _tanh(candidate)  # (rows, dim)
        if self.options.cell_clip is not None:
            cell = cell.clamp(-self.options.cell_clip, self.options.cell_clip)  # (rows, dim)
        return cell, torch.sigmoid(output_gate) * _tanh(cell)

    def _input_gates(self, inputs: Tensor, rows: Tensor | None, blocks: Sequence[Sequence[int]]) -> Iterator[Tensor]:
        """Yield the part of the gates from the inputs, (block, 4 * dim), which is computed once per word type."""
        weight = self.weight[: self.options.projection_dim]  # (projection_dim, 4 * dim)
        bias = self.run_time_bias()  # (4 * dim,)
        repeated = rows is not None and len(inputs) < len(rows) and len(inputs) * len(bias) <= _TABLE
        table = affine(bias, inputs, weight) if repeated else None  # (types, 4 * dim)
        # New memory costs more than the arithmetic, so each block overwrites the last one.
        room = bias.new_empty(max(map(sum, blocks)), len(bias))
        start = 0
        for block in blocks:
            end = start + sum(block)
            out = room[: end - start]  # (block, 4 * dim)
            if rows is None:
                yield affine(bias, inputs[start:end], weight, out=out)
            elif table is None:
                yield affine(bias, inputs[rows[start:end]], weight, out=out)
            else:
                yield torch.index_select(table, 0, rows[start:end], out=out)
            start = end

    def run_time_bias(self) -> Tensor:
        """Return the bias, (4 * dim,), with 1 added at the forget gate, which the official file does not contain."""
        dim = self.options.lstm_dim
        return self.bias + F.pad(self.bias.new_ones(dim), (2 * dim, dim))


def _blocks(batch_sizes: Sequence[int], *, most: int) -> list[list[int]]:
    """Divide the steps into blocks of at most ``most`` positions, or of one step that has more."""
    blocks: list[list[int]] = [[]]
    filled = 0
    for rows in batch_sizes:
        if blocks[-1] and filled + rows > most:
            blocks.append([])
            filled = 0
        blocks[-1].append(rows)
        filled += rows
    return blocks


def _tanh(values: Tensor) -> Tensor:
    """Return the tanh, by a sigmoid, which is three times as fast in torch."""
    return (2 * values).sigmoid_().mul_(2).sub_(1)
