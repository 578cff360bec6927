"""The optimiser receives the trainer's options, and wrong options are refused."""

from pathlib import Path

import pytest
import torch
from torch import nn

from harness.config.schema import TrainerConfig
from harness.errors import ConfigError
from harness.runs.plan import prepare
from harness.training.optimizer import _UNSUITABLE, make_optimizer
from harness.utils.signals import Interrupted
from tests.support.runs import SMALL, StopAfter, config_of
from tests.support.training import equal, scripted

SUITABLE = [
    name
    for name, value in vars(torch.optim).items()
    if isinstance(value, type) and name not in ("Optimizer", *_UNSUITABLE)
]


def test_options_reach_the_optimiser() -> None:
    parameters = [nn.Parameter(torch.zeros(2))]
    adam = make_optimizer(parameters, TrainerConfig(optimizer_options={"betas": [0.9, 0.9]}, lr=0.5))
    assert (adam.defaults["betas"], adam.defaults["lr"]) == ((0.9, 0.9), 0.5)
    adadelta = make_optimizer(parameters, TrainerConfig(optimizer="Adadelta", optimizer_options={"rho": 0.95}))
    assert adadelta.defaults["rho"] == 0.95


def test_a_step_is_fused_unless_the_options_say_otherwise() -> None:
    def steps(**options: object) -> tuple[bool | None, torch.Tensor]:
        torch.manual_seed(0)
        parameter = nn.Parameter(torch.randn(5, 3))
        adam = make_optimizer([parameter], TrainerConfig(optimizer_options=options, weight_decay=0.1))
        for _ in range(20):
            adam.zero_grad()
            parameter.square().sum().backward()
            adam.step()
        return adam.defaults["fused"], parameter.detach()

    (fused, ours), (plain, expected) = steps(), steps(foreach=False)
    assert fused
    assert not plain
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 1}, "did you mean 'betas'"),
        ({"params": []}, "no such option"),
        ({"weight_decay": 1}, r"set trainer\.weight_decay instead"),
        ({"betas": [0.9]}, "field required"),
        ({"fused": True, "foreach": True}, "cannot be `True` together"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_optimizer([nn.Parameter(torch.zeros(2))], TrainerConfig(optimizer_options=options))


def test_every_optimiser_of_torch_is_known_to_be_suitable_or_not() -> None:
    """A new one in a later torch is tested by itself; one that has gone leaves the list."""
    assert vars(torch.optim).keys() >= {*_UNSUITABLE, "Adam", "SGD", "Adadelta", "AdamW", "Adafactor"}


@pytest.mark.parametrize("name", SUITABLE)
def test_a_step_changes_parameters_of_every_shape(name: str) -> None:
    torch.manual_seed(0)
    shapes = ((), (3,), (3, 2), (4, 3, 2))  # gamma, a bias, a matrix, and the filters of a convolution
    parameters = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    optimizer = make_optimizer(parameters, TrainerConfig(optimizer=name, lr=0.1))
    before = [parameter.detach().clone() for parameter in parameters]
    sum(parameter.square().sum() for parameter in parameters).backward()  # type: ignore[union-attr]
    optimizer.step()
    for parameter, old in zip(parameters, before, strict=True):
        assert (parameter != old).all()
        assert parameter.square().sum() < old.square().sum()


@pytest.mark.parametrize("name", SUITABLE)
def test_a_stopped_run_resumes_with_the_state_of_its_optimiser(name: str, tmp_path: Path) -> None:
    scores = (0.1, 0.2, 0.3)
    whole = scripted(tmp_path / "whole", scores, optimizer=name)
    whole.fit()
    with pytest.raises(Interrupted):
        scripted(tmp_path, scores, optimizer=name, stop=StopAfter(6)).fit()
    resumed = scripted(tmp_path, scores, optimizer=name)
    resumed.fit()
    assert equal(resumed.on_disk(), whole.on_disk())


@pytest.mark.parametrize("name", sorted(_UNSUITABLE))
def test_an_unsuitable_optimiser_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"trainer\.optimizer={name} is not supported, because it .*; ") as caught:
        make_optimizer([nn.Parameter(torch.zeros(2))], TrainerConfig(optimizer=name))
    assert "Muon," not in str(caught.value)
    with pytest.raises(ConfigError, match=r"is no optimiser of torch\.optim; did you mean 'Adam'"):
        make_optimizer([nn.Parameter(torch.zeros(2))], TrainerConfig(optimizer="Adamm"))


@pytest.mark.parametrize(
    "override",
    [
        "trainer.lr=-1",
        "trainer.lr=nan",
        "trainer.lr=inf",
        "trainer.weight_decay=-0.1",
        "trainer.weight_decay=nan",
        "trainer.grad_norm=0",
        "trainer.grad_norm=nan",
        "trainer.plateau_factor=1",
        "trainer.patience=0",
        "trainer.average=1",
        "trainer.optimizer=LBFGS",
        "+trainer.optimizer_options.betas=[2,2]",
    ],
)
def test_a_wrong_value_is_refused_before_data_are_read(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.runs.plan._task_and_examples", lambda _: pytest.fail("the data were read"))
    key = override.strip("+").partition("=")[0].replace("optimizer_options.betas", "optimizer=Adam")
    with pytest.raises(ConfigError, match=key):
        prepare(config_of(tmp_path, *SMALL, override))
