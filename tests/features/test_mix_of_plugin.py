"""A mix that is or returns something else than a mix must is one line."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.errors import ConfigError, HarnessError
from harness.features.token_features import TokenFeatures
from harness.types import Batch, Example
from tests.features.test_token_features import FakeSource


class WithoutTokens(nn.Module):
    output_dim = 4

    def forward(self, layers: Tensor, mask: Tensor) -> Tensor:
        return layers.mean(dim=(1, 2))  # (batch, dim)


def test_a_wrong_shape_names_the_mix_and_both_shapes() -> None:
    features = TokenFeatures(source=FakeSource(), make_mix=WithoutTokens)  # type: ignore[arg-type]
    example = Example(id="0", texts={"tokens": ("the", "bank", "river")})
    batch = Batch(examples=(example,), masks={"tokens": torch.ones(1, 3, dtype=torch.bool)})
    with pytest.raises(HarnessError) as caught:
        features(features.read(batch), batch)
    assert str(caught.value) == (
        "WithoutTokens returned (1, 4) for layers of shape (1, 3, 3, 4); "
        "expected (batch, tokens, output_dim) = (1, 3, 4)"
    )


class Mean(nn.Module):
    """A right mix; a test changes one of its members."""

    output_dim: Any = 4
    weights: Any = (0.5, 0.25, 0.25)

    def __init__(self, **members: Any) -> None:
        super().__init__()
        vars(self).update(members)

    def forward(self, layers: Tensor, mask: Tensor) -> Any:
        return self.change(layers.mean(dim=1))  # (batch, tokens, dim)

    def change(self, mixed: Tensor) -> Any:
        return mixed

    def layer_weights(self) -> Any:
        return self.weights

    def scale(self) -> Any:
        return 1


def features_with(**members: Any) -> TokenFeatures:
    return TokenFeatures(source=FakeSource(), make_mix=lambda: Mean(**members))  # type: ignore[arg-type]


def batch_of(*shape: int) -> Batch:
    example = Example(id="0", texts={"tokens": ("the", "bank", "river")})
    return Batch(examples=(example,), masks={"tokens": torch.ones(*shape, dtype=torch.bool)})


@pytest.mark.parametrize("output_dim", [None, 4.0, 0, torch.tensor(4)])
def test_an_output_dim_that_is_no_size_is_refused(output_dim: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^mixing: Mean: its output_dim is .*; see LayerMix in harness/protocols\.py$"
    ):
        features_with(output_dim=output_dim)


@pytest.mark.parametrize("used", [[3], [-1], [1, 0], [], "0", None, [0.0], [True]])
def test_layers_that_do_not_exist_are_refused(used: Any) -> None:
    with pytest.raises(ConfigError, match=r"^Mean\.layers_used is .*; expected layers from the lowest, of 0 to 2$"):
        features_with(layers_used=used)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mixed: mixed.double(), "Mean returned a tensor of torch.float64; expected a tensor of torch.float32"),
        (lambda mixed: mixed.numpy(), "Mean returned a ndarray; expected a tensor of torch.float32"),
        (lambda _: None, "Mean returned a NoneType; expected a tensor of torch.float32"),
    ],
)
def test_another_type_is_one_line(change: Any, message: str) -> None:
    features, batch = features_with(change=change), batch_of(1, 3)
    with pytest.raises(HarnessError) as caught:
        features(features.read(batch), batch)
    assert str(caught.value) == message


def test_a_wrong_mask_is_the_fault_of_the_task() -> None:
    features, batch = features_with(), batch_of(1, 3)
    layers = features.read(batch)
    with pytest.raises(
        HarnessError, match=r"^the task's collate made a mask of shape \(1, 2\) for texts of .* \(1, 3\);"
    ):
        features(layers, batch_of(1, 2))


@pytest.mark.parametrize("weights", [["high"], None, "high", torch.ones(2, 2)])
def test_weights_that_are_no_numbers_are_one_line(weights: Any) -> None:
    with pytest.raises(HarnessError, match=r"^Mean\.layer_weights returned .*; expected numbers$"):
        features_with(weights=weights).mix_state()


def test_weights_are_plain_numbers_which_records_can_hold() -> None:
    state = features_with(weights=torch.tensor([0.5, 0.5])).mix_state()
    assert state == {"weights": {"input": [0.5, 0.5]}, "gamma": {"input": 1.0}}
    assert {type(one) for one in state["weights"]["input"]} == {float}  # type: ignore[union-attr]
