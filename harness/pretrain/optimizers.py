"""Optimisers for a network whose softmax has sparse gradients, a learning-rate schedule, and clipping."""

import math
from typing import Any

import torch
from torch import Tensor

from harness.pretrain.config import TrainerConfig
from harness.pretrain.network import PretrainingNetwork


class Optimizers:
    """One optimiser over dense and sparse gradients.

    With ``adam``, the rows of the softmax that a window does not touch keep their moments as they are
    (torch's SparseAdam). ``adagrad`` is bilm-tf's: there accumulators begin at 1 and the loss is half the sum of
    the directions times the window's steps, which is the same as accumulators of (2 / steps) ** 2 here.
    """

    def __init__(self, network: PretrainingNetwork, options: TrainerConfig, *, total_steps: int) -> None:
        self._options, self._total = options, total_steps
        sparse = list(network.softmax.parameters())
        dense = list(network.bilm.parameters())
        self._parameters = [*dense, *sparse]
        if options.optimizer == "adam":
            self._all: list[torch.optim.Optimizer] = [
                torch.optim.Adam(dense, lr=options.lr, fused=True),
                torch.optim.SparseAdam(sparse, lr=options.lr),
            ]
        else:
            self._all = [
                torch.optim.Adagrad(
                    self._parameters, lr=options.lr, initial_accumulator_value=(2 / options.window) ** 2
                )
            ]

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0.

        Warm-up takes at most a tenth of a training whose rate is a cosine. A constant rate falls linearly towards
        zero over the last ``decay_steps`` updates.
        """
        options = self._options
        if options.schedule == "constant":
            warmup = min(1.0, (step + 1) / (options.warmup_steps + 1))
            left = self._total - step  # updates, this one included
            return options.lr * warmup * min(1.0, left / (options.decay_steps + 1))
        warmup = min(1.0, (step + 1) / (min(options.warmup_steps, self._total // 10) + 1))
        return options.lr * warmup * 0.5 * (1 + math.cos(math.pi * min(1.0, step / self._total)))

    def step(self, step: int) -> float:
        """Clip the gradients, update the parameters, forget the gradients; return the norm before clipping."""
        norm = self._clip()
        for optimizer in self._all:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate(step)
            optimizer.step()
            optimizer.zero_grad()
        return norm

    def _clip(self) -> float:
        """Scale all gradients down to a common norm, as one vector."""
        values: list[Tensor] = []
        for parameter in self._parameters:
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
                values.append(parameter.grad._values())
            elif parameter.grad is not None:
                values.append(parameter.grad)
        norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(value) for value in values])))
        limit = self._options.grad_norm
        if limit is not None and norm > limit:
            torch._foreach_mul_(values, limit / norm)
        return norm

    def state(self) -> list[Any]:
        """Return what ``restore`` needs."""
        return [optimizer.state_dict() for optimizer in self._all]

    def restore(self, state: list[Any]) -> None:
        """Go on from a state."""
        for optimizer, one in zip(self._all, state, strict=True):
            optimizer.load_state_dict(one)
