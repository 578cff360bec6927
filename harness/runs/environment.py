"""Describe where a run was executed: code revision, package versions, hardware, command line."""

import os
import platform
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from harness.config.secrets import overrides_of

_CODE = ("harness", "tasks", "conf", "pyproject.toml")  # below the root of the repository
_PACKAGES = ("torch", "numpy", "hydra-core", "seqeval", "scikit-learn", "datasets", "wandb")


def environment(device: str) -> dict[str, Any]:
    """Return code revision, package versions, hardware, command line and overrides, as plain values."""
    return {
        **_of_this_process(),
        "threads": torch.get_num_threads(),
        "device": device,
        "gpu": torch.cuda.get_device_name() if device.startswith("cuda") else None,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "config_dirs": _config_dirs(),
        # Of the command line, or of one job of a sweep.
        "overrides": list(overrides_of(HydraConfig.get())) if HydraConfig.initialized() else None,
    }


def _config_dirs() -> list[str]:
    """Return the folders that ``--config-dir`` has added."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    return [str(source.path) for source in sources if source.provider == "command-line"]


@cache
def _of_this_process() -> dict[str, Any]:
    """Return what is the same for every run of this process."""
    return {
        "harness": _version("elmo-harness"),
        **_revision(Path(__file__).resolve().parents[2]),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
    }


def sweep_name() -> str | None:
    """Return the name of the sweep that this job belongs to, or None outside of a sweep."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return Path(str(HydraConfig.get().sweep.dir)).name


@cache
def _version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _revision(root: Path) -> dict[str, Any]:
    """Return the commit of the source code, and whether code or configs have changed; None for both without git.

    Other changes, such as a report in an untracked folder, change no result.
    """
    command = ["git", "-C", str(root), "status", "--porcelain=v2", "--branch", "--", *_CODE]
    unknown = {"revision": None, "dirty": None}
    if not (root / ".git").exists():
        return unknown
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return unknown
    lines = ended.stdout.splitlines()  # "# branch.oid COMMIT", other lines with "#", then one line per changed file
    return {"revision": lines[0].split()[-1], "dirty": not all(line.startswith("#") for line in lines)}


@cache
def _processor() -> str:
    """Return the processor's name."""
    known = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*:(.*)$", known.read_text(), re.MULTILINE) if known.exists() else None
    return match[1].strip() if match else platform.processor() or platform.machine()
