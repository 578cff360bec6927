"""Find the torch device that the option ``device`` names on this machine."""

import re

import torch

from harness.errors import ConfigError


def device_of(wanted: str) -> str:
    """Return the torch device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` means on this machine.

    Raises:
        ConfigError: The name is not one of these, or this machine has no such device.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", wanted):
        raise ConfigError(f"device={wanted}: no such device; use auto, cpu, cuda or cuda:N")
    if wanted != "cpu" and int(wanted.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device={wanted}: this machine has no such CUDA device; use device=cpu or device=auto")
    return wanted
