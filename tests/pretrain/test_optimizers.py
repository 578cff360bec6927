"""The learning rate of each update, and the clipping of dense and sparse gradients together."""

import math

import pytest
import torch

from harness.encoders.options import parse_options
from harness.encoders.random_elmo import random_weights
from harness.pretrain.config import TrainerConfig
from harness.pretrain.network import PretrainingNetwork
from harness.pretrain.optimizers import Optimizers
from harness.pretrain.softmax import log_uniform
from tests.pretrain.test_network import SENTENCES, VOCABULARY, batch_of
from tests.support.encoders import TINY


def network() -> PretrainingNetwork:
    options = parse_options(TINY, source="test")
    torch.manual_seed(0)
    made = PretrainingNetwork(options=options, vocabulary_size=len(VOCABULARY), dropout=0.0)
    made.load_official(random_weights(options, seed=0))
    return made


def fill_gradients(made: PretrainingNetwork) -> None:
    import numpy as np

    losses, _ = made(
        batch_of(SENTENCES[0]), made.zero_state(1), log_uniform(len(VOCABULARY), 3, np.random.default_rng(0))
    )
    losses.sum().backward()


def test_the_learning_rate_rises_then_falls() -> None:
    options = TrainerConfig(lr=1.0, warmup_steps=9, schedule="cosine")
    rates = [
        Optimizers(network=network(), options=options, total_steps=100).learning_rate(step) for step in (0, 9, 50, 100)
    ]
    assert rates[0] == pytest.approx(0.1)
    assert rates[1] == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.09)))
    assert rates[2] == pytest.approx(0.5)
    assert rates[3] == pytest.approx(0.0)
    short = Optimizers(
        network=network(), options=TrainerConfig(lr=1.0, warmup_steps=200, schedule="cosine"), total_steps=30
    )
    assert [short.learning_rate(step) for step in (0, 3)] == [0.25, pytest.approx(0.5 * (1 + math.cos(math.pi * 0.1)))]
    constant = Optimizers(
        network=network(), options=TrainerConfig(lr=1.0, schedule="constant", warmup_steps=0), total_steps=100
    )
    assert [constant.learning_rate(step) for step in (0, 99)] == [1.0, 1.0]


def test_a_constant_learning_rate_falls_at_the_end() -> None:
    options = TrainerConfig(lr=1.0, schedule="constant", warmup_steps=1, decay_steps=3)
    falling = Optimizers(network=network(), options=options, total_steps=10)
    assert [falling.learning_rate(step) for step in (0, 1, 6, 7, 8, 9)] == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]


@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_the_norm_is_that_of_all_gradients_together(optimizer: str) -> None:
    made = network()
    fill_gradients(made)
    whole = torch.cat([p.grad.to_dense().flatten() for p in made.parameters() if p.grad is not None])
    options = TrainerConfig(optimizer=optimizer, grad_norm=None)  # type: ignore[arg-type]
    norm = Optimizers(network=made, options=options, total_steps=10).step(0)
    assert norm == pytest.approx(float(whole.norm()), rel=1e-5)


def test_gradients_are_scaled_down_to_the_limit() -> None:
    made = network()
    fill_gradients(made)
    before = {name: p.grad.to_dense().clone() for name, p in made.named_parameters() if p.grad is not None}
    optimizers = Optimizers(network=made, options=TrainerConfig(grad_norm=0.01), total_steps=10)
    norm = optimizers._clip()
    assert norm > 0.01
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad.to_dense(), before[name] * (0.01 / norm), atol=1e-8, rtol=1e-4)


@pytest.mark.parametrize(("optimizer", "step"), [("adam", 0), ("adam", 5), ("adagrad", 0), ("adagrad", 5)])
def test_an_update_has_the_learning_rate_of_its_number(optimizer: str, step: int) -> None:
    """Adam's first update is the rate, up to the sign; Adagrad's is the rate times g / sqrt(initial + g * g)."""
    made = network()
    options = TrainerConfig(  # type: ignore[arg-type]
        optimizer=optimizer, lr=0.1, warmup_steps=9, schedule="constant", grad_norm=None, window=5
    )
    fill_gradients(made)
    before = {name: (p.detach().clone(), p.grad.to_dense().clone()) for name, p in made.named_parameters()}  # type: ignore[union-attr]
    Optimizers(network=made, options=options, total_steps=100).step(step)
    for name, parameter in made.named_parameters():
        old, gradient = before[name]
        scale = (gradient.square() + (2 / 5) ** 2).sqrt() if optimizer == "adagrad" else gradient.abs() + 1e-8
        expected = old - 0.1 * (step + 1) / 10 * gradient / scale
        torch.testing.assert_close(parameter.detach(), expected, rtol=0, atol=1e-3)


def test_a_step_changes_every_parameter_that_has_a_gradient() -> None:
    made = network()
    before = {name: p.detach().clone() for name, p in made.named_parameters()}
    fill_gradients(made)
    untouched = made.softmax.weight.grad.to_dense().abs().sum(dim=1) == 0  # type: ignore[union-attr]
    Optimizers(network=made, options=TrainerConfig(warmup_steps=0), total_steps=10).step(0)
    for name, parameter in made.named_parameters():
        assert not torch.equal(parameter, before[name]), name
        assert parameter.grad is None
    assert untouched.any()
    assert torch.equal(made.softmax.weight[untouched], before["softmax.weight"][untouched])
