"""The average of the weights is its formula, and a run that was stopped resumes with its average."""

from pathlib import Path

import pytest
import torch
from torch import nn

from harness.training.weight_average import WeightAverage
from tests.support.runs import StopAfter, small_run


def test_the_average_is_its_formula_and_does_not_change_the_weights() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(8.0)
    average, expected = WeightAverage(model, decay=0.5), 8.0
    for step in range(1, 12):
        with torch.no_grad():
            model.weight.fill_(float(step))
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))  # 2/11, 3/12, ... until it is 0.5 at the eighth step
        expected = decay * expected + (1 - decay) * step
        with average.applied():
            assert model.weight.item() == pytest.approx(expected)
        assert model.weight.item() == step


def test_the_weights_are_restored_if_scoring_fails() -> None:
    model = nn.Linear(1, 1)
    average = WeightAverage(model, decay=0.5)
    before = model.weight.item()
    with torch.no_grad():
        model.weight.add_(1)
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert model.weight.item() == before + 1


def test_frozen_parameters_and_buffers_are_not_averaged() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    model[0].weight.requires_grad_(False)
    average = WeightAverage(model, decay=0.5)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(3)
    with average.applied():
        assert (model[0].weight.item(), model[1].running_mean.item()) == (3, 3)
        assert model[1].weight.item() == 1


def test_the_average_is_what_is_scored_and_kept(tmp_path: Path) -> None:
    plain = small_run(tmp_path / "a", "trainer.max_epochs=1")
    averaged = small_run(tmp_path / "b", "trainer.max_epochs=1", "trainer.average=0.5")
    assert plain.identity != averaged.identity
    assert plain.mixing["weights"] != averaged.mixing["weights"]


@pytest.mark.slow
@pytest.mark.parametrize("looks", [2, 9])
def test_a_stopped_run_resumes_with_its_average(looks: int, tmp_path: Path) -> None:
    options = ("trainer.average=0.9", "trainer.optimizer=Adadelta", "+trainer.optimizer_options.rho=0.95")
    unbroken = small_run(tmp_path / "a", *options)
    assert small_run(tmp_path / "b", *options, stop=StopAfter(looks)).status == "interrupted"
    resumed = small_run(tmp_path / "b", *options)
    assert resumed.metrics == unbroken.metrics
    assert resumed.mixing == unbroken.mixing
