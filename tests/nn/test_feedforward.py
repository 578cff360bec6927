"""Feed-forward and maxout layers, each checked against a loop over its values."""

import pytest
import torch

from harness.nn.feedforward import FeedForward, Maxout

torch.manual_seed(0)
VECTORS = torch.randn(3, 5, dtype=torch.float64)


@torch.no_grad()
def test_feed_forward_equals_its_formula() -> None:
    layers = FeedForward(input_dim=5, dims=[4, 2], dropouts=[0.5, 0.5]).double().eval()
    first, second = (layer for layer in layers.layers if isinstance(layer, torch.nn.Linear))
    torch.nn.init.normal_(first.bias)
    for row, output in zip(VECTORS, layers(VECTORS), strict=True):
        hidden = [max(float(w @ row + b), 0.0) for w, b in zip(first.weight, first.bias, strict=True)]
        expected = [
            max(sum(w * h for w, h in zip(weights, hidden, strict=True)) + float(bias), 0.0)
            for weights, bias in zip(second.weight.tolist(), second.bias, strict=True)
        ]
        assert output.tolist() == pytest.approx(expected)
    assert layers.output_dim == 2


@torch.no_grad()
def test_maxout_equals_its_formula() -> None:
    layers = Maxout(input_dim=5, dims=[2, 3], dropouts=[0.5, 0.0], pool_size=4).double().eval()
    for linear in layers.maps:
        torch.nn.init.normal_(linear.bias)
    for row, output in zip(VECTORS, layers(VECTORS), strict=True):
        values = row.tolist()
        for linear, dim in zip(layers.maps, (2, 3), strict=True):
            assert linear.weight.shape[0] == 4 * dim
            pieces = [
                sum(w * v for w, v in zip(weights, values, strict=True)) + float(bias)
                for weights, bias in zip(linear.weight.tolist(), linear.bias, strict=True)
            ]
            values = [max(pieces[4 * i : 4 * i + 4]) for i in range(dim)]
        assert output.tolist() == pytest.approx(values)
    assert layers.output_dim == 3


def test_each_layer_has_its_own_dropout() -> None:
    ones = torch.ones(1, 5)
    layers = FeedForward(input_dim=5, dims=[1000, 1000], dropouts=[0.0, 0.9])
    assert 0.02 < float((layers(ones) > 0).double().mean()) < 0.09  # half of them pass the ReLU, a tenth is kept
    maxout = Maxout(input_dim=5, dims=[1000], dropouts=[0.9], pool_size=1)
    assert 0.05 < float((maxout(ones) != 0).double().mean()) < 0.15


@pytest.mark.parametrize("layers", [1, 4])
@torch.no_grad()
def test_a_stack_keeps_the_scale_of_its_input(layers: int) -> None:
    vectors = torch.randn(200, 300)
    stack = FeedForward(input_dim=300, dims=[300] * layers, dropouts=[0.0] * layers)
    assert float((stack(vectors) ** 2).mean()) == pytest.approx(1.0, rel=0.3)


@pytest.mark.parametrize("kind", [FeedForward, Maxout])
def test_the_number_of_dropouts_must_be_the_number_of_layers(kind) -> None:
    more = {"pool_size": 2} if kind is Maxout else {}
    with pytest.raises(ValueError, match="argument"):
        kind(input_dim=3, dims=[2, 2], dropouts=[0.1], **more)
