"""A bidirectional LSTM over rows of different lengths, with its gradient written out.

What ``nn.LSTM`` computes, for training on a CPU: padding is never computed, and the products of all steps that need not
wait for each other are one product: of the inputs, and for the gradients of every weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.nn.packed_order import time_major


@dataclass(frozen=True)
class Visits:
    """The order in which an LSTM visits the tokens of all rows: step by step, the rows that are longer first.

    Attributes:
        sizes: rows that have a token at each step.
        orders: per direction, int64 (positions,): the token visited, tokens being counted row after row.
        before: int64 (positions - rows,): the visit of the same row one step earlier, of every visit but the first.
    """

    sizes: tuple[int, ...]
    orders: tuple[Tensor, Tensor]
    before: Tensor

    @classmethod
    def of(cls, lengths: Tensor) -> "Visits":
        """Return the visits of rows of the given lengths, int64 (rows,), of which one is not 0."""
        sizes, rows = lengths.sort(descending=True, stable=True)  # (rows,)
        visits = time_major((lengths.cumsum(0) - lengths)[rows], sizes)
        counts = visits.batch_sizes  # (steps,)
        later = torch.arange(int(counts[0]), len(visits.time))  # (positions - rows,)
        before = later - counts[visits.time[later] - 1]  # (positions - rows,)
        return cls(tuple(counts.tolist()), visits.orders, before)


def bidirectional_lstm(gates: Tensor, recurrent: tuple[Tensor, Tensor], visits: Visits) -> Tensor:
    """Run both directions.

    Args:
        gates: float (tokens, 8 * hidden_dim): what the inputs and biases give to the gates of both directions, each in
            the order of ``nn.LSTM``: input, forget, candidate, output.
        recurrent: of each direction, float (4 * hidden_dim, hidden_dim).
        visits: of the tokens.

    Returns:
        float (tokens, 2 * hidden_dim).
    """
    output: Tensor = _BidirectionalLstm.apply(gates, *recurrent, visits)
    return output


class _BidirectionalLstm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gates: Tensor, ahead: Tensor, back: Tensor, visits: Visits) -> Tensor:
        output = gates.new_empty(len(gates), 2 * ahead.shape[1])  # (tokens, 2 * hidden_dim)
        kept: list[Tensor] = []
        halves = zip(gates.chunk(2, dim=1), output.chunk(2, dim=1), visits.orders, (ahead, back), strict=True)
        for own_gates, own_output, order, weight in halves:
            kept += _forward(own_gates.index_select(0, order), weight, visits.sizes)
            own_output.index_copy_(0, order, kept[-1])
        ctx.save_for_backward(ahead, back, *kept)
        ctx.visits = visits
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        ahead, back, *kept = ctx.saved_tensors
        visits = ctx.visits
        gates_grad = grad.new_empty(len(grad), 8 * ahead.shape[1])  # (tokens, 8 * hidden_dim)
        weight_grads = []
        parts = (grad.chunk(2, dim=1), gates_grad.chunk(2, dim=1), visits.orders, (ahead, back), (kept[:4], kept[4:]))
        for own_grad, own_gates_grad, order, weight, own_kept in zip(*parts, strict=True):
            through, weight_grad = _backward(own_grad.index_select(0, order), weight, own_kept, visits)
            own_gates_grad.index_copy_(0, order, through)
            weight_grads.append(weight_grad)
        return gates_grad, weight_grads[0], weight_grads[1], None


def _forward(gates: Tensor, recurrent: Tensor, sizes: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Run one direction.

    Returns:
        gates (positions, 4 * hidden_dim), cells, their tanh and outputs (positions, hidden_dim), as visited.
    """
    width = recurrent.shape[1]
    cells, squashed, outputs = gates.new_empty(3, len(gates), width)  # (positions, hidden_dim) each
    weight = recurrent.t().contiguous()  # (hidden_dim, 4 * hidden_dim)
    past, start = 0, 0
    for step, rows in enumerate(sizes):
        now, last = slice(start, start + rows), slice(past, past + rows)
        if step:
            gates[now].addmm_(outputs[last], weight)
        gates[now, : 2 * width].sigmoid_()
        gates[now, 2 * width : 3 * width].tanh_()
        gates[now, 3 * width :].sigmoid_()
        enters, stays, candidate, leaves = gates[now].chunk(4, dim=1)  # (rows, hidden_dim) each
        cell = torch.mul(enters, candidate, out=cells[now])  # (rows, hidden_dim)
        if step:
            cell.addcmul_(stays, cells[last])
        torch.mul(leaves, torch.tanh(cell, out=squashed[now]), out=outputs[now])
        past, start = start, start + rows
    return gates, cells, squashed, outputs


def _backward(grad: Tensor, recurrent: Tensor, kept: Sequence[Tensor], visits: Visits) -> tuple[Tensor, Tensor]:
    """Return the gradients of one direction's gates, (positions, 4 * hidden_dim), and recurrent weights.

    Args:
        grad: of the outputs, (positions, hidden_dim), in the order of the visits; it is written over.
        recurrent: (4 * hidden_dim, hidden_dim).
        kept: what ``_forward`` returned.
        visits: of the tokens.
    """
    gates, cells, squashed, outputs = kept
    enters, stays, candidate, leaves = gates.chunk(4, dim=1)  # (positions, hidden_dim) each
    rows = visits.sizes[0]
    before = torch.zeros_like(cells)  # (positions, hidden_dim): the cell one step earlier
    torch.index_select(cells, 0, visits.before, out=before[rows:])
    # What a gate's input changes in the cell, and for the last of them in the output.
    slopes = torch.cat(
        [
            candidate * enters * (1 - enters),
            before * stays * (1 - stays),
            enters * (1 - candidate.square()),
            squashed * leaves * (1 - leaves),
        ],
        dim=1,
    )  # (positions, 4 * hidden_dim)
    to_cell = leaves * (1 - squashed.square())  # (positions, hidden_dim)
    width = recurrent.shape[1]
    cell_grad = grad.new_zeros(rows, width)
    start = len(grad)
    for step in reversed(range(len(visits.sizes))):
        count = visits.sizes[step]
        now = slice(start - count, start)
        start -= count
        through = cell_grad[:count].addcmul_(grad[now], to_cell[now])  # (rows, hidden_dim)
        slopes[now, : 3 * width].unflatten(1, (3, width)).mul_(through.unsqueeze(1))
        slopes[now, 3 * width :].mul_(grad[now])
        if step:
            earlier = start - visits.sizes[step - 1]
            grad[earlier : earlier + count].addmm_(slopes[now], recurrent)
            through.mul_(stays[now])
    weight_grad = slopes[rows:].t() @ outputs.index_select(0, visits.before)  # (4 * hidden_dim, hidden_dim)
    return slopes, weight_grad
