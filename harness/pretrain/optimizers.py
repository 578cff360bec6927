"""Optimisers for a network whose softmax has sparse gradients, with a learning-rate schedule and clipping."""

import math
from typing import Any

import torch
from torch import Tensor

from harness.pretrain.config import TrainerConfig
from harness.pretrain.network import PretrainingNetwork


class Optimizers:
    """Adam or Adagrad over dense and sparse gradients.

    With ``adam``, the softmax rows that an update does not touch keep their moments (torch's SparseAdam).
    ``adagrad`` is there because the official models were trained with it. In bilm-tf its accumulators begin at 1, and
    the loss is the mean of both directions, times the steps of a window. Here it is their sum, and accumulators that
    begin at (2 / steps) ** 2 are equivalent.

    Args:
        network: The network whose parameters are updated.
        options: The options of the optimiser: learning rate, schedule and clipping.
        total_steps: Number of updates of the whole training.
    """

    def __init__(self, *, network: PretrainingNetwork, options: TrainerConfig, total_steps: int) -> None:
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
            initial = (2 / options.window) ** 2
            self._all = [torch.optim.Adagrad(self._parameters, lr=options.lr, initial_accumulator_value=initial)]

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of an update, counted from 0.

        It rises linearly at first. With ``cosine``, the rise takes at most a tenth of the training, and the rate falls
        to zero at its end. With ``constant``, it falls linearly towards zero over the last ``decay_steps`` updates.
        """
        options = self._options
        if options.schedule == "constant":
            warmup = min(1.0, (step + 1) / (options.warmup_steps + 1))
            left = self._total - step  # number of remaining updates, including this one
            return options.lr * warmup * min(1.0, left / (options.decay_steps + 1))
        warmup = min(1.0, (step + 1) / (min(options.warmup_steps, self._total // 10) + 1))
        return options.lr * warmup * 0.5 * (1 + math.cos(math.pi * min(1.0, step / self._total)))

    def step(self, step: int) -> float:
        """Clip the gradients, do the update with number ``step``, counted from 0; return the norm before clipping."""
        norm = self._clip()
        for optimizer in self._all:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate(step)
            optimizer.step()
            optimizer.zero_grad()
        return norm

    def _clip(self) -> float:
        """Clip the norm of all gradients together; return their norm before."""
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
        """Return the state of the optimisers, for ``restore``."""
        return [optimizer.state_dict() for optimizer in self._all]

    def restore(self, state: list[Any]) -> None:
        """Continue from what ``state`` returned."""
        for optimizer, one in zip(self._all, state, strict=True):
            optimizer.load_state_dict(one)
