"""One LSTM layer over a window of text, with a gradient of its own.

The gradient of a weight is one product over all steps of the window. Autograd would do one product per step, and
convert and add the results.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from harness.encoders.kernels.lstm_steps import LstmState
from harness.encoders.kernels.onednn_product import linear
from harness.encoders.kernels.projected_lstm import ProjectedLstm


def window_lstm(lstm: ProjectedLstm, inputs: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
    """Run one LSTM layer of one direction over a window.

    Under autocast, matrix products have the type of the autocast, and everything else is float32.

    Args:
        lstm: The layer.
        inputs: Float (steps, streams, projection_dim).
        state: The state before the first step. No gradient flows into it.

    Returns:
        The outputs, (steps, streams, projection_dim), and the state after the last step, without a gradient.
    """
    projection = lstm.projection if lstm.options.projects_states else None
    clips = lstm.options.cell_clip, lstm.options.proj_clip if projection is not None else None
    device = inputs.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else inputs.dtype
    with torch.autocast(device, enabled=False):
        outputs, cell = _WindowLstm.apply(
            inputs, lstm.weight, lstm.run_time_bias(), projection, state.hidden, state.cell, clips, dtype
        )
    return outputs, LstmState(outputs[-1].detach(), cell)


class _WindowLstm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        projection: Tensor | None,
        hidden: Tensor,
        cell: Tensor,
        clips: tuple[float | None, float | None],
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        steps, streams, width = inputs.shape
        from_inputs, recurrent = weight.to(dtype).t().split(width, dim=1)  # (4 * dim, projection_dim) each
        project = None if projection is None else projection.to(dtype).t()  # (projection_dim, dim)
        gates = _product(inputs.flatten(0, 1), from_inputs).add_(bias).view(steps, streams, -1)  # (.., 4 * dim)
        cells = gates.new_empty(steps + 1, streams, cell.shape[1])  # (steps + 1, streams, dim)
        tanhs = torch.empty_like(cells[1:])  # (steps, streams, dim): of the cells
        outputs = inputs.new_empty(steps + 1, streams, width)  # (steps + 1, streams, projection_dim)
        cells[0], outputs[0] = cell, hidden
        for step in range(steps):
            gates[step] += _product(outputs[step], recurrent)
            enters, candidate, stays, leaves = gates[step].chunk(4, dim=1)  # (streams, dim) each
            for gate in (enters, stays, leaves):
                gate.sigmoid_()
            _tanh_(candidate)
            torch.mul(stays, cells[step], out=cells[step + 1]).addcmul_(enters, candidate)
            if clips[0] is not None:
                cells[step + 1].clamp_(-clips[0], clips[0])
            _tanh_(tanhs[step].copy_(cells[step + 1]))
            output = leaves * tanhs[step]  # (streams, dim)
            outputs[step + 1] = output if project is None else _product(output, project)
            if clips[1] is not None:
                outputs[step + 1].clamp_(-clips[1], clips[1])
        ctx.save_for_backward(inputs, weight, projection, gates, cells, tanhs, outputs)
        ctx.clips, ctx.dtype = clips, dtype
        ctx.mark_non_differentiable(last := cells[-1].clone())
        return outputs[1:], last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor, _: Tensor) -> Any:
        inputs, weight, projection, gates, cells, tanhs, outputs = ctx.saved_tensors
        steps, _, width = inputs.shape
        from_inputs, recurrent = weight.to(ctx.dtype).split(width)  # (projection_dim, 4 * dim) each
        project = None if projection is None else projection.to(ctx.dtype)  # (dim, projection_dim)
        d_gates, d_projected = torch.empty_like(gates), d_outputs.clone()  # (steps, streams, ..) each
        d_cell = torch.zeros_like(cells[0])  # (streams, dim)
        for step in reversed(range(steps)):
            if step + 1 < steps:
                d_projected[step] += _product(d_gates[step + 1], recurrent)
            if ctx.clips[1] is not None:
                d_projected[step] = _through_clip(d_projected[step], outputs[step + 1], ctx.clips[1])
            d_output = d_projected[step] if project is None else _product(d_projected[step], project)  # (streams, dim)
            enters, candidate, stays, leaves = gates[step].chunk(4, dim=1)  # (streams, dim) each
            d_enters, d_candidate, d_stays, d_leaves = d_gates[step].chunk(4, dim=1)  # (streams, dim) each
            d_cell += _AT.tanh_backward(d_output * leaves, tanhs[step])
            if ctx.clips[0] is not None:
                d_cell = _through_clip(d_cell, cells[step + 1], ctx.clips[0])  # (streams, dim)
            _AT.sigmoid_backward.grad_input(d_output * tanhs[step], leaves, grad_input=d_leaves)
            _AT.sigmoid_backward.grad_input(d_cell * cells[step], stays, grad_input=d_stays)
            _AT.sigmoid_backward.grad_input(d_cell * candidate, enters, grad_input=d_enters)
            _AT.tanh_backward.grad_input(d_cell * enters, candidate, grad_input=d_candidate)
            d_cell *= stays
        flat = d_gates.flatten(0, 1).to(ctx.dtype)  # (steps * streams, 4 * dim)
        before = torch.cat([inputs, outputs[:-1]], dim=2).flatten(0, 1)  # (steps * streams, 2 * projection_dim)
        d_weight = _product(before.t(), flat.t())  # (2 * projection_dim, 4 * dim)
        d_inputs = _product(flat, from_inputs).to(inputs.dtype).view_as(inputs) if ctx.needs_input_grad[0] else None
        d_projection = None
        if projection is not None:
            raw = (gates[..., -projection.shape[0] :] * tanhs).flatten(0, 1)  # (steps * streams, dim)
            d_projection = _product(raw.t(), d_projected.flatten(0, 1).t().to(ctx.dtype))  # (dim, projection_dim)
        return d_inputs, d_weight, d_gates.sum(dim=(0, 1)), d_projection, None, None, None, None


_AT = torch.ops.aten


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left @ right.t()`` in the type of ``right``, converted to the type of ``left``."""
    return linear(left.to(right.dtype), right).to(left.dtype)


def _tanh_(values: Tensor) -> Tensor:
    """Overwrite values by their tanh. A sigmoid is five times as fast as torch's tanh on a CPU."""
    return values.mul_(2).sigmoid_().mul_(2).sub_(1)


def _through_clip(gradient: Tensor, clipped: Tensor, clip: float) -> Tensor:
    """Return a gradient (rows, width) with zeros where a value was clipped to +- ``clip``."""
    passed: Tensor = _AT.hardtanh_backward(gradient, clipped, -clip, clip)
    return passed
