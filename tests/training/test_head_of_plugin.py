"""A head that is or returns something else than a head must is one line."""

from typing import Any

import pytest
import torch
from torch import nn

from harness.errors import ConfigError, HarnessError
from harness.training.model import Model
from harness.types import Batch


class Head(nn.Module):
    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.returned = loss

    def loss(self, *_: Any) -> Any:
        return self.returned

    def predict(self, *_: Any) -> Any:
        return []


class Features(nn.Module):
    """Features of texts that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def read(self, batch: Batch) -> dict[str, Any]:
        return {}

    def penalty(self) -> float:
        return 0.5

    def forward(self, *_: Any) -> dict[str, Any]:
        return {}


def model_of(head: Any) -> Model:
    return Model(features=Features(), head=head)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (None, "task.build_head returned a NoneType; expected a torch.nn.Module"),
        (len, "task.build_head returned a builtin_function_or_method; expected a torch.nn.Module"),
        (nn.Linear(1, 1), "Linear has no loss and no predict; see Head in harness/protocols.py"),
    ],
)
def test_what_is_no_head_is_refused(head: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        model_of(head)
    assert str(caught.value) == message


class Observer(nn.Module):
    def observe(self, *_: Any) -> None:
        """Learn without gradients."""


def test_a_head_that_learns_without_gradients_needs_predict_too() -> None:
    with pytest.raises(ConfigError, match=r"^Observer has no predict; see Head in harness/protocols\.py$"):
        model_of(Observer())


def test_a_penalty_that_is_no_scalar_is_one_line() -> None:
    model = model_of(Head(torch.tensor(1.0)))
    model.features.penalty = lambda: torch.ones(3)  # type: ignore[method-assign,assignment]
    with pytest.raises(HarnessError, match=r"^a mix returned a penalty of shape \(3,\); expected a scalar$"):
        model.loss(Batch(examples=(), masks={}))


@pytest.mark.parametrize("loss", [None, 0.5, torch.ones(3)])
def test_a_loss_that_is_no_scalar_is_one_line(loss: Any) -> None:
    with pytest.raises(HarnessError, match=r"^Head\.loss returned .*; expected a scalar tensor$"):
        model_of(Head(loss)).loss(Batch(examples=(), masks={}))


def test_the_penalty_is_added_to_the_loss() -> None:
    assert float(model_of(Head(torch.tensor(1.0))).loss(Batch(examples=(), masks={}))) == 1.5
