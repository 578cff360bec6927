"""The optimiser receives the trainer's options, and wrong options are refused."""

import pytest
import torch
from torch import nn

from harness.config.schema import TrainerConfig
from harness.errors import ConfigError
from harness.training.optimizer import make_optimizer


def test_options_reach_the_optimiser() -> None:
    parameters = [nn.Parameter(torch.zeros(2))]
    adam = make_optimizer(parameters, TrainerConfig(optimizer_options={"betas": [0.9, 0.9]}, lr=0.5))
    assert (adam.defaults["betas"], adam.defaults["lr"]) == ((0.9, 0.9), 0.5)
    adadelta = make_optimizer(parameters, TrainerConfig(optimizer="Adadelta", optimizer_options={"rho": 0.95}))
    assert adadelta.defaults["rho"] == 0.95


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
