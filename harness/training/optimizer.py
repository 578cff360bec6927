"""The optimiser and the learning rate schedule that the trainer's options name."""

from collections.abc import Iterable
from inspect import signature
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from harness.config.instantiate import build
from harness.config.schema import TrainerConfig
from harness.errors import ConfigError, nearest

_UNSUITABLE = {
    "LBFGS": "it computes the loss several times in a step, and the trainer computes it once",
    "Muon": "it trains matrices only, and every head has biases too",
    "Rprop": "it is made for one batch of all examples, and it has no weight decay",
    "SparseAdam": "it needs sparse gradients, and those of a head are dense",
}


def make_optimizer(parameters: Iterable[nn.Parameter], options: TrainerConfig) -> torch.optim.Optimizer:
    """Return the optimiser that the options name. It must take a learning rate and a weight decay.

    Args:
        parameters: The parameters of the model; frozen ones are left out.
        options: The trainer's options; ``optimizer``, ``optimizer_options``, ``lr`` and ``weight_decay`` are used.

    Raises:
        ConfigError: There is no such optimiser, it has no such option or value, or it cannot train these parameters.
    """
    own: dict[str, Any] = {"lr": options.lr, "weight_decay": options.weight_decay}
    known = [
        name
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and own.keys() <= signature(value).parameters.keys() and name not in _UNSUITABLE
    ]
    if options.optimizer not in known:
        reason = _UNSUITABLE.get(options.optimizer)
        why = f"is not supported, because {reason}" if reason else "is no optimiser of torch.optim"
        raise ConfigError(f"trainer.optimizer={options.optimizer} {why}{nearest(options.optimizer, known)}")
    for name in sorted(own.keys() & options.optimizer_options.keys()):
        raise ConfigError(f"trainer.optimizer_options.{name}: set trainer.{name} instead")
    if "params" in options.optimizer_options:
        raise ConfigError("trainer.optimizer_options.params: no such option; the parameters are those of the model")
    node = {**options.optimizer_options, "_target_": f"torch.optim.{options.optimizer}"}
    own["params"] = [parameter for parameter in parameters if parameter.requires_grad]
    if _may_be_fused(own["params"], options):
        own["fused"] = True  # on a CPU, a step of Adam takes a quarter of the time
    try:
        optimizer: torch.optim.Optimizer = build(
            node, kind=torch.optim.Optimizer, where="trainer.optimizer_options", supplied=own
        )
    except (ValueError, TypeError, RuntimeError) as error:  # torch's optimisers raise these for a wrong value
        raise ConfigError(f"trainer.optimizer={options.optimizer} cannot train this model: {error}") from None
    return optimizer


def _may_be_fused(parameters: Iterable[nn.Parameter], options: TrainerConfig) -> bool:
    """Return whether torch has a fused step for these parameters, and the options ask for no other kind of step."""
    other = {"fused", "foreach", "capturable", "differentiable"} & options.optimizer_options.keys()
    offered = "fused" in signature(getattr(torch.optim, options.optimizer)).parameters
    return offered and not other and all(parameter.device.type == "cpu" for parameter in parameters)


def make_schedule(optimizer: torch.optim.Optimizer, options: TrainerConfig) -> ReduceLROnPlateau | None:
    """Return a schedule that lowers the learning rate when dev stops improving; None if the options ask for none.

    Args:
        optimizer: The optimiser whose learning rate is lowered.
        options: The trainer's options; ``plateau_factor`` and ``plateau_patience`` are used.
    """
    patience, factor = options.plateau_patience, options.plateau_factor
    return None if patience is None else ReduceLROnPlateau(optimizer, mode="max", factor=factor, patience=patience)
