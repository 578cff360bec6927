"""Mixes agree with NumPy code written from equation 1 and from the official layer norm."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from harness.config.instantiate import build
from harness.errors import ConfigError
from harness.features.layer_mix import ConcatMix, FixedMix, ScalarMix, cumulative_mix, normalise

LAYERS = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(1))  # (batch, layers, tokens, dim)
MASK = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])


def test_a_new_scalar_mix_is_the_mean() -> None:
    mix = ScalarMix(num_layers=3, dim=4)
    torch.testing.assert_close(mix(LAYERS, MASK), LAYERS.mean(dim=1))
    assert mix.layer_weights() == pytest.approx([1 / 3] * 3)


def test_a_scalar_mix_is_equation_1() -> None:
    mix = ScalarMix(num_layers=3, dim=4)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([0.5, -1.0, 2.0]))
        mix.gamma.fill_(1.7)
    s = np.exp([0.5, -1.0, 2.0]) / np.exp([0.5, -1.0, 2.0]).sum()
    expected = 1.7 * sum(s[j] * LAYERS[:, j].numpy() for j in range(3))
    np.testing.assert_allclose(mix(LAYERS, MASK).detach().numpy(), expected, rtol=1e-5)


def test_the_penalty_is_lambda_times_the_sum_of_squared_weights() -> None:
    mix = ScalarMix(num_layers=3, dim=4, lambda_=0.1)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([1.0, -2.0, 3.0]))
        mix.gamma.fill_(100.0)
    assert mix.penalty().item() == pytest.approx(1.4)


def test_a_mix_of_some_layers_gives_the_others_no_weight() -> None:
    mix = ScalarMix(num_layers=4, dim=4, layers=[3, 1])
    assert mix.layers_used == [1, 3]
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([0.0, np.log(3.0)]))
    assert mix.layer_weights() == pytest.approx([0.0, 0.25, 0.0, 0.75])
    read = LAYERS[:, [0, 2]]  # as the features pass them: the layers used, from the lowest
    torch.testing.assert_close(mix(read, MASK), 0.25 * read[:, 0] + 0.75 * read[:, 1])


def test_a_mix_without_gamma_is_the_weighted_sum() -> None:
    mix = ScalarMix(num_layers=3, dim=4, gamma=False)
    assert [name for name, _ in mix.named_parameters()] == ["weights"]
    assert mix.scale() == 1.0
    torch.testing.assert_close(mix(LAYERS, MASK), LAYERS.mean(dim=1))


@pytest.mark.parametrize(("index", "used"), [(0, [0]), (1, [0, 1]), (2, [0, 1, 2]), (-1, [0, 1, 2])])
def test_a_cumulative_mix_has_all_layers_up_to_one(index: int, used: list[int]) -> None:
    mix = cumulative_mix(num_layers=3, dim=4, index=index, lambda_=0.5)
    assert mix.layers_used == used
    torch.testing.assert_close(mix(LAYERS[:, used], MASK), LAYERS[:, used].mean(dim=1))
    with torch.no_grad():
        mix.weights.fill_(2.0)
    assert mix.penalty().item() == pytest.approx(0.5 * 4 * len(used))


@pytest.mark.parametrize(("index", "layer"), [(0, 0), (1, 1), (-1, 2)])
def test_a_single_layer(index: int, layer: int) -> None:
    mix = FixedMix(num_layers=3, dim=4, index=index)
    assert mix.layers_used == [layer]
    assert torch.equal(mix(LAYERS[:, mix.layers_used], MASK), LAYERS[:, layer])
    assert mix.layer_weights()[layer] == 1.0
    assert sum(mix.layer_weights()) == 1.0


def test_the_mean_with_gamma() -> None:
    mix = FixedMix(num_layers=3, dim=4, index=None)
    assert mix.gamma is not None
    with torch.no_grad():
        mix.gamma.fill_(0.5)
    torch.testing.assert_close(mix(LAYERS, MASK), 0.5 * LAYERS.mean(dim=1))
    assert not list(FixedMix(num_layers=3, dim=4, index=None, gamma=False).parameters())


def test_concat_keeps_every_layer_of_a_token_together() -> None:
    mix = ConcatMix(num_layers=3, dim=4)
    assert mix.output_dim == 12
    assert torch.equal(mix(LAYERS, MASK)[1, 1], LAYERS[1, :, 1].flatten())


def test_the_papers_layer_norm_is_over_the_whole_batch() -> None:
    actual = normalise(LAYERS, MASK, "paper")
    keep = MASK.numpy()
    for j in range(3):
        values = LAYERS[:, j].numpy()[keep]  # (tokens, dim)
        expected = (values - values.mean()) / np.sqrt(values.var() + 1e-12)
        np.testing.assert_allclose(actual[:, j].numpy()[keep], expected, rtol=1e-4, atol=1e-6)


def test_the_token_layer_norm_is_of_each_vector() -> None:
    actual = normalise(LAYERS, MASK, "token")[0, 1, 3].numpy()
    value = LAYERS[0, 1, 3].numpy()
    np.testing.assert_allclose(actual, (value - value.mean()) / value.std(), rtol=1e-4, atol=1e-6)


MIXES = {
    "scalar": ScalarMix,
    "without gamma": partial(ScalarMix, gamma=False),
    "mean": partial(FixedMix, index=None),
    "concat": ConcatMix,
}


@pytest.mark.parametrize("kind", ["none", "paper", "token"])
@pytest.mark.parametrize("make", MIXES.values(), ids=MIXES.keys())
@pytest.mark.parametrize("padding", [0.0, 9.0])
def test_no_mixed_vector_depends_on_padding(make: Callable[..., nn.Module], kind: str, padding: float) -> None:
    """Neither on more tokens of padding, nor on more rows of it, nor on what it holds."""
    mix = make(num_layers=3, dim=4, layer_norm=kind)
    padded = LAYERS.masked_fill(~MASK[:, None, :, None], padding)
    padded = nn.functional.pad(padded, (0, 0, 0, 3, 0, 0, 0, 2), value=padding)
    mask = nn.functional.pad(MASK, (0, 3, 0, 2))
    torch.testing.assert_close(mix(padded, mask)[:2, :5][MASK], mix(LAYERS, MASK)[MASK])


@pytest.mark.parametrize("kind", ["none", "token"])
@pytest.mark.parametrize("make", MIXES.values(), ids=MIXES.keys())
def test_a_mixed_vector_does_not_depend_on_the_other_sentences(make: Callable[..., nn.Module], kind: str) -> None:
    mix = make(num_layers=3, dim=4, layer_norm=kind)
    together, alone = mix(LAYERS, MASK), mix(LAYERS[1:, :, :2], MASK[1:, :2])
    torch.testing.assert_close(together[1, :2], alone[0])


def test_bad_requests_name_the_key() -> None:
    with pytest.raises(ConfigError, match=r"mixing.index is 3; the encoder has layers 0 to 2"):
        FixedMix(num_layers=3, dim=4, index=3)
    with pytest.raises(ConfigError, match=r"mixing.index is -4; the encoder has layers 0 to 2"):
        cumulative_mix(num_layers=3, dim=4, index=-4)
    with pytest.raises(ConfigError, match=r"mixing.layers is 5; the encoder has layers 0 to 2"):
        ScalarMix(num_layers=3, dim=4, layers=[0, 5])
    for layers in ([], [2, -1]):
        with pytest.raises(ConfigError, match=r"mixing.layers is \[.*\]; name each layer once, and at least one"):
            ScalarMix(num_layers=3, dim=4, layers=layers)
    node = {"_target_": "harness.features.layer_mix.ScalarMix", "lambda_": -1.0}
    with pytest.raises(ConfigError, match=r"mixing.lambda_ is -1.0; expected a value greater than or equal to 0"):
        build(node, kind=ScalarMix, where="mixing", supplied={"num_layers": 3, "dim": 4})
