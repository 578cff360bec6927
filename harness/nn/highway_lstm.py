"""A deep LSTM whose layers read in turn from the left and from the right, with highway connections between them.

Like ``fused_bilstm``, it computes its gradient directly and never computes padding. Work that does not depend on the
previous step is one matrix product for all steps, so that a step has a single product, with the last output.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from harness.nn.masking import lengths_of_mask
from harness.nn.packing import Packing

_GATES = 5  # candidate, input, forget, output, highway: in this order, activations and gradients are adjacent


class HighwayLstm(nn.Module):
    """Layers of an LSTM in one direction each: odd ones read forwards, even ones read the output of the last backwards.

    The output of a layer at a token is ``r * o * tanh(c) + (1 - r) * W x``: the highway gate r decides for each
    dimension between the output of the cell and a linear map of the layer's input x. In training, recurrent dropout
    drops the same dimensions of the last output at every step of a row, but not on the way to the next layer.

    Initial values: each block of each weight matrix orthogonal, biases 0, except 1 for the forget gate. The linear map
    has no bias.

    Args:
        input_dim: Width of the input, at least 1.
        hidden_dim: Width of every layer, at least 1.
        num_layers: Number of layers, at least 1.
        recurrent_dropout: Probability in [0, 1) of dropping a dimension.

    Source: He et al. 2017, "Deep Semantic Role Labeling: What Works and What's Next", sections 2.1 and 2.2; highway
        connections, Zhang et al. 2016 and Srivastava et al. 2015; dropout, Gal and Ghahramani 2016. Like AllenNLP's
        ``stacked_alternating_lstm`` without a bias of the input.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int, num_layers: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.output_dim, self.recurrent_dropout = hidden_dim, recurrent_dropout
        widths = [input_dim, *[hidden_dim] * (num_layers - 1)]
        self.inputs = nn.ParameterList(torch.empty((_GATES + 1) * hidden_dim, width) for width in widths)
        self.recurrent = nn.ParameterList(torch.empty(_GATES * hidden_dim, hidden_dim) for _ in widths)
        self.biases = nn.ParameterList(torch.zeros(_GATES * hidden_dim) for _ in widths)
        for weight in (*self.inputs, *self.recurrent):
            for block in weight.data.split(hidden_dim):  # (hidden_dim, width)
                nn.init.orthogonal_(block)
        for bias in self.biases:
            bias.data[2 * hidden_dim : 3 * hidden_dim] = 1.0  # the forget gate

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Read each row once per layer.

        Args:
            vectors: Float (batch, tokens, input_dim).
            mask: Bool (batch, tokens), right-padded; rows may be empty, and may have any order.

        Returns:
            Float (batch, tokens, output_dim), 0 at padding.

        Raises:
            ValueError: A token follows padding.
        """
        if not mask.any():
            return vectors.new_zeros(*mask.shape, self.output_dim)
        packing = Packing.of(lengths_of_mask(mask).cpu())
        ahead, back = (order.to(vectors.device) for order in packing.orders)  # (tokens,) each
        packing = replace(packing, orders=(ahead, back))
        places = mask.flatten().nonzero().squeeze(1)  # (tokens,)
        outputs = vectors.flatten(0, 1).index_select(0, places)  # (tokens, input_dim)
        for number, (weight, recurrent, bias) in enumerate(zip(self.inputs, self.recurrent, self.biases, strict=True)):
            gates = F.linear(outputs, weight, F.pad(bias, (0, self.output_dim)))  # (tokens, 6 * hidden_dim)
            kept = None
            if self.training and self.recurrent_dropout:
                ones = vectors.new_ones(packing.batch_sizes[0], self.output_dim)  # (rows, hidden_dim)
                kept = F.dropout(ones, self.recurrent_dropout)  # (rows, hidden_dim)
            outputs = highway_lstm(gates, recurrent, kept, packing, backwards=number % 2 == 1)  # (tokens, hidden_dim)
        output = outputs.new_zeros(mask.numel(), self.output_dim).index_copy(0, places, outputs)
        return output.unflatten(0, mask.shape)  # (batch, tokens, hidden_dim)


def highway_lstm(
    gates: Tensor, recurrent: Tensor, kept: Tensor | None, packing: Packing, *, backwards: bool = False
) -> Tensor:
    """Run one layer in one direction.

    Args:
        gates: Float (tokens, 6 * hidden_dim), what comes from inputs and biases: candidate, input gate, forget gate,
            output gate, highway gate, and the linear map of the input.
        recurrent: The recurrent weights of the first five, float (5 * hidden_dim, hidden_dim).
        kept: Factors on the last output of each row, longer rows first, float (rows, hidden_dim); None for no dropout.
        packing: The lengths of the rows, and the order in which their tokens are visited.
        backwards: Whether to read the rows from their ends.

    Returns:
        Float (tokens, hidden_dim).
    """
    order = packing.orders[backwards]
    visited: Tensor = _HighwayLstm.apply(gates.index_select(0, order), recurrent, kept, packing)
    return torch.empty_like(visited).index_copy(0, order, visited)  # (tokens, hidden_dim)


class _HighwayLstm(torch.autograd.Function):
    """One layer as one operation; all tensors of tokens are in the order of their visits."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, recurrent: Tensor, kept: Tensor | None, packing: Packing) -> Tensor:
        width, weight = recurrent.shape[1], recurrent.t().contiguous()  # weight: (hidden_dim, 5 * hidden_dim)
        gates = gates.clone()  # (tokens, 6 * hidden_dim)
        cells, cell_tanhs, found, outputs, previous = gates.new_empty(5, len(gates), width)  # (tokens, hidden_dim) each
        past, start = 0, 0
        for step, rows in enumerate(packing.batch_sizes):
            now, last = slice(start, start + rows), slice(past, past + rows)
            if step:
                before = outputs[last]  # (rows, hidden_dim)
                if kept is not None:
                    before = torch.mul(before, kept[:rows], out=previous[now])  # (rows, hidden_dim)
                gates[now, : _GATES * width].addmm_(before, weight)
            gates[now, :width].tanh_()
            gates[now, width : _GATES * width].sigmoid_()
            candidate, enter, forget, leave, highway, linear = gates[now].chunk(6, dim=1)  # (rows, hidden_dim) each
            cell = torch.mul(enter, candidate, out=cells[now])  # (rows, hidden_dim)
            if step:
                cell.addcmul_(forget, cells[last])
            torch.mul(leave, torch.tanh(cell, out=cell_tanhs[now]), out=found[now])
            torch.lerp(linear, found[now], highway, out=outputs[now])
            past, start = start, start + rows
        if kept is None:
            torch.index_select(outputs, 0, _before(packing, gates), out=previous[packing.batch_sizes[0] :])
        ctx.save_for_backward(recurrent, kept, gates, cells, cell_tanhs, found, previous)
        ctx.packing = packing
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        recurrent, kept, gates, cells, cell_tanhs, found, previous = ctx.saved_tensors
        packing: Packing = ctx.packing
        grad = grad.clone()  # (tokens, hidden_dim)
        _, _, forget, leave, highway, _ = gates.chunk(6, dim=1)  # (tokens, hidden_dim) each
        to_cell = highway * leave * (1 - cell_tanhs.square())  # (tokens, hidden_dim)
        slopes = _slopes(gates, cells, cell_tanhs, found, packing)  # (tokens, 6 * hidden_dim)
        _add_recurrence(slopes, grad, to_cell, forget, recurrent, kept, packing.batch_sizes)
        later = slice(packing.batch_sizes[0], None)  # all visits but the first of each row
        return slopes, slopes[later, : len(recurrent)].t() @ previous[later], None, None


def _before(packing: Packing, tokens: Tensor) -> Tensor:
    """Return the previous visit of the same row, for each visit after a row's first: int64 (tokens - rows,)."""
    sizes = torch.tensor(packing.batch_sizes)  # (steps,)
    later = torch.arange(packing.batch_sizes[0], len(tokens))  # (tokens - rows,)
    return (later - sizes[:-1].repeat_interleave(sizes[1:])).to(tokens.device)


def _slopes(gates: Tensor, cells: Tensor, cell_tanhs: Tensor, found: Tensor, packing: Packing) -> Tensor:
    """Return the derivative of the cell (of the output, for the last three) with respect to each gate's input."""
    candidate, enter, forget, leave, highway, linear = gates.chunk(6, dim=1)  # (tokens, hidden_dim) each
    before = torch.zeros_like(cells)  # (tokens, hidden_dim): the cell one step earlier
    torch.index_select(cells, 0, _before(packing, cells), out=before[packing.batch_sizes[0] :])
    return torch.cat(
        [
            enter * (1 - candidate.square()),
            candidate * enter * (1 - enter),
            before * forget * (1 - forget),
            highway * cell_tanhs * leave * (1 - leave),
            (found - linear) * highway * (1 - highway),
            1 - highway,
        ],
        dim=1,
    )  # (tokens, 6 * hidden_dim)


def _add_recurrence(
    slopes: Tensor,
    grad: Tensor,
    to_cell: Tensor,
    forget: Tensor,
    recurrent: Tensor,
    kept: Tensor | None,
    batch_sizes: Sequence[int],
) -> None:
    """Turn slopes into gradients of the gates, from the last step to the first; ``grad`` is overwritten."""
    width = recurrent.shape[1]
    cell_grads = grad.new_zeros(batch_sizes[0], width)  # (rows, hidden_dim)
    start = len(grad)
    for step in reversed(range(len(batch_sizes))):
        count = batch_sizes[step]
        now = slice(start - count, start)
        start -= count
        cell_grad = cell_grads[:count].addcmul_(grad[now], to_cell[now])  # (rows, hidden_dim)
        both = slopes[now].unflatten(1, (2, 3, width))  # (rows, 2, 3, hidden_dim): those of the cell, of the output
        both[:, 0].mul_(cell_grad.unsqueeze(1))
        both[:, 1].mul_(grad[now].unsqueeze(1))
        if step:
            earlier = grad[start - batch_sizes[step - 1] :][:count]  # (rows, hidden_dim)
            product = slopes[now, : _GATES * width]  # (rows, 5 * hidden_dim)
            if kept is None:
                earlier.addmm_(product, recurrent)
            else:
                earlier.addcmul_(product @ recurrent, kept[:count])
            cell_grad.mul_(forget[now])
