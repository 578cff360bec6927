"""A moving average of the weights in training, which is smoother than the weights of any single step."""

import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from harness.training.model import check_layout


class WeightAverage:
    """The exponential moving average of a model's trained parameters.

    After the n-th step it is ``d * average + (1 - d) * weights`` with ``d = min(decay, (1 + n) / (10 + n))``: a long
    training averages with ``decay``, and a short one soon forgets the initial weights. Buffers are not averaged.
    ``torch.optim.swa_utils.AveragedModel`` cannot be used: it deep-copies the model, whose feature store holds a lock
    and a memory map, and it would copy the frozen vectors too.

    Args:
        model: The model whose parameters are averaged.
        decay: The weight of the old average at each step, in (0, 1).

    Source: Polyak and Juditsky 1992; the growing decay is that of ``tf.train.ExponentialMovingAverage(num_updates=n)``.
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        self._decay, self._steps = decay, 0
        self._parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._average = {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Include the current weights in the average; call it after each step."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, average in self._average.items():
            average.lerp_(self._parameters[name], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Replace the weights of the model by the average while the context lasts."""
        kept = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._set(self._average)
        try:
            yield
        finally:
            self._set(kept)

    @torch.no_grad()
    def _set(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            parameter.copy_(values[name])

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a checkpoint has to hold."""
        return {"steps": self._steps, "average": self._average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state_dict`` returned.

        Raises:
            ValueError: The average is of another model.
        """
        check_layout(self._average, state["average"])
        self._steps = operator.index(state["steps"])
        for name, average in self._average.items():
            average.copy_(state["average"][name])
