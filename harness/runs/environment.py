"""Where a run ran: code, versions, hardware."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("torch", "numpy", "hydra-core", "seqeval", "scikit-learn", "datasets", "wandb")


def environment(device: str) -> dict[str, Any]:
    """Return code revision, package versions, hardware, command line and the run's own overrides, as plain values."""
    return {
        "harness": _version("elmo-harness"),
        **_revision(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "gpu": torch.cuda.get_device_name() if device.startswith("cuda") else None,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "overrides": _overrides(),
    }


def _overrides() -> list[str] | None:
    """Return what the command line, or one job of a sweep, sets; None where the harness is called from Python."""
    from hydra.core.hydra_config import HydraConfig

    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else None


def sweep_name() -> str | None:
    """Return the name of the sweep that this job belongs to, None outside of one."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return Path(str(HydraConfig.get().sweep.dir)).name


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _revision() -> dict[str, Any]:
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    if not (root / ".git").exists():
        return {"revision": None, "dirty": None}
    status = git("status", "--porcelain")
    return {"revision": git("rev-parse", "HEAD"), "dirty": bool(status) if status is not None else None}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
