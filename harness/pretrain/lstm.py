"""A layer of projected LSTMs over a whole window, both directions at once, with its backward pass written out.

It computes what ``harness.encoders.bilm.ProjectedLstm`` computes in each direction. Two things make it fast:
a step of both directions is one batched product, and in the backward pass the steps hand back only what the
recurrence needs, while each weight gets its gradient from one product over the window.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.encoders.bilm import LstmState, ProjectedLstm

_sigmoid_backward, _tanh_backward = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward


def run_window(lstms: Sequence[ProjectedLstm], inputs: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
    """Run one layer over a window.

    Under autocast the matrix products are of its type, all else is float32.

    Args:
        lstms: the layer's LSTM of each direction.
        inputs: (directions, steps, streams, projection_dim).
        state: before the first step: ``hidden`` (directions, streams, projection_dim), ``cell`` (directions,
            streams, lstm_dim); no gradient flows into it.

    Returns:
        outputs (directions, steps, streams, projection_dim), and the state after the last step.
    """
    options = lstms[0].options
    weight = torch.stack([lstm.weight for lstm in lstms])  # (directions, 2 * projection_dim, 4 * dim)
    bias = torch.stack([lstm.bias for lstm in lstms])  # (directions, 4 * dim)
    projection = None
    if options.projects_states:
        projection = torch.stack([lstm.projection for lstm in lstms])  # (directions, dim, projection_dim)
    clips = (options.cell_clip, options.proj_clip if options.projects_states else None)
    outputs, cell = _Window.apply(inputs, state.hidden, state.cell, weight, bias, projection, clips)
    return outputs, LstmState(outputs[:, -1].detach(), cell)


class _Window(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        hidden: Tensor,
        cell: Tensor,
        weight: Tensor,
        bias: Tensor,
        projection: Tensor | None,
        clips: tuple[float | None, float | None],
    ) -> tuple[Tensor, Tensor]:
        directions, steps, streams, width = inputs.shape
        dim = cell.shape[-1]
        cell_clip, proj_clip = clips
        products = _type_of_products(inputs)
        shifted = bias[:, None].clone()  # (directions, 1, 4 * dim)
        shifted[..., 2 * dim : 3 * dim] += 1  # the forget bias that is not in the file
        shifted, weight = shifted.to(products), weight.to(products)
        projection = None if projection is None else projection.to(products)
        entering = inputs.new_empty(directions, steps + 1, streams, 2 * width)  # what meets the weight at each step
        entering[:, :steps, :, :width] = inputs
        entering[:, 0, :, width:] = hidden
        gates, cells, squashed = [], [cell], []  # (directions, streams, 4 * dim), and dim twice, of each step
        gated = inputs.new_empty(directions, steps, streams, dim)  # what is projected
        for t in range(steps):
            step = torch.baddbmm(shifted, entering[:, t].to(products), weight)  # (directions, streams, 4 * dim)
            step = step.to(inputs.dtype)
            input_gate, candidate, forget_gate, output_gate = step.chunk(4, dim=-1)
            input_gate.sigmoid_()
            candidate.tanh_()
            step[..., 2 * dim :].sigmoid_()
            cell = (forget_gate * cell).addcmul_(input_gate, candidate)
            if cell_clip is not None:
                cell.clamp_(-cell_clip, cell_clip)
            squash = torch.tanh(cell)
            torch.mul(output_gate, squash, out=gated[:, t])
            after = gated[:, t] if projection is None else torch.bmm(gated[:, t].to(products), projection)
            if proj_clip is not None:
                after = after.clamp(-proj_clip, proj_clip)
            entering[:, t + 1, :, width:] = after
            gates.append(step)
            cells.append(cell)
            squashed.append(squash)
        ctx.clips, ctx.steps = clips, steps
        ctx.save_for_backward(entering, weight, projection, gated, *gates, *cells, *squashed)
        ctx.mark_non_differentiable(cell)
        return entering[:, 1:, :, width:].clone(), cell

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, _: Tensor) -> Any:
        return _backward(ctx, d_outputs)


def _type_of_products(like: Tensor) -> torch.dtype:
    """Return the type of matrix products: autocast's, where it is enabled, else the tensors' own."""
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype


def _backward(ctx: Any, d_outputs: Tensor) -> Any:
    entering, weight, projection, gated, *of_steps = ctx.saved_tensors
    (cell_clip, proj_clip), steps = ctx.clips, ctx.steps
    gates, cells, squashed = of_steps[:steps], of_steps[steps : 2 * steps + 1], of_steps[2 * steps + 1 :]
    directions, _, streams, width = d_outputs.shape
    products = weight.dtype
    returning = weight.transpose(1, 2)  # (directions, 4 * dim, 2 * width)
    d_gates = d_outputs.new_empty(directions, steps, streams, weight.shape[-1])
    d_after = torch.empty_like(d_outputs)  # of what was projected
    d_inputs = torch.empty_like(d_outputs)
    d_hidden = d_outputs.new_zeros(directions, streams, width)  # what the following step passes back
    d_cell = torch.zeros_like(cells[0])
    for t in range(steps - 1, -1, -1):
        input_gate, candidate, forget_gate, output_gate = gates[t].chunk(4, dim=-1)  # (directions, streams, dim)
        d_input, d_candidate, d_forget, d_output = d_gates[:, t].chunk(4, dim=-1)  # (directions, streams, dim)
        torch.add(d_outputs[:, t], d_hidden, out=d_after[:, t])
        if proj_clip is not None:
            d_after[:, t] *= entering[:, t + 1, :, width:].abs() < proj_clip
        d_gated = d_after[:, t]
        if projection is not None:
            d_gated = torch.bmm(d_gated.to(products), projection.transpose(1, 2))  # (directions, streams, dim)
            d_gated = d_gated.to(d_outputs.dtype)
        _sigmoid_backward.grad_input(d_gated * squashed[t], output_gate, grad_input=d_output)
        d_cell += _tanh_backward(d_gated * output_gate, squashed[t])
        if cell_clip is not None:
            d_cell *= cells[t + 1].abs() < cell_clip
        _sigmoid_backward.grad_input(d_cell * candidate, input_gate, grad_input=d_input)
        _tanh_backward.grad_input(d_cell * input_gate, candidate, grad_input=d_candidate)
        _sigmoid_backward.grad_input(d_cell * cells[t], forget_gate, grad_input=d_forget)
        d_cell *= forget_gate
        d_entering = torch.bmm(d_gates[:, t].to(products), returning)  # (directions, streams, 2 * width)
        d_inputs[:, t], d_hidden = d_entering[..., :width], d_entering[..., width:]
    flat = d_gates.flatten(1, 2)  # (directions, positions, 4 * dim)
    read = entering[:, :steps].flatten(1, 2).transpose(1, 2)  # (directions, 2 * width, positions)
    d_weight = torch.bmm(read.to(products), flat.to(products)).to(d_outputs.dtype)
    d_projection = None
    if projection is not None:
        projected = gated.flatten(1, 2).transpose(1, 2)  # (directions, dim, positions)
        d_projection = torch.bmm(projected.to(products), d_after.flatten(1, 2).to(products)).to(d_outputs.dtype)
    return d_inputs, None, None, d_weight, flat.sum(dim=1), d_projection, None
