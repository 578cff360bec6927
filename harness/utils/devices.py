"""Find the torch device that the option ``device`` names, and the cores and the memory that this process may use."""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import torch

from harness.errors import ConfigError

_CGROUPS, _OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


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


def usable_cores() -> int:
    """Return how many cores this process may use: those of its affinity, or the quota of its control group if less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(cores, _quota())))


def usable_memory() -> float:
    """Return the memory of this machine in bytes, or the limit of this process's control groups if less.

    Infinity where the system does not tell it.
    """
    names = os.sysconf_names if hasattr(os, "sysconf") else {}
    own = math.inf if "SC_PHYS_PAGES" not in names else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [path.read_text() for path in _control_files("memory.max", "memory/memory.limit_in_bytes")]
    return min([own, *(int(limit) for limit in limits if limit.strip().isdigit())])


def _quota() -> float:
    """Return the quota of this process's control groups (Linux) in cores; infinity without a quota.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (``cpu.max``); ``cpu.cfs_quota_us`` is its name in version 1.
    """
    return min([math.inf, *map(_quota_in, _control_files("cpu.max", "cpu/cpu.cfs_quota_us"))])


def _control_files(*names: str) -> Iterator[Path]:
    """Yield the existing files of these names in the control groups of this process.

    A container often sees its own group as the root, so the root is looked at as well.
    """
    lines = _OWN_CGROUP.read_text().splitlines() if _OWN_CGROUP.exists() else []
    paths = [Path(line.split(":", 2)[2].lstrip("/")) for line in lines]
    for folder in {Path(), *paths, *(parent for path in paths for parent in path.parents)}:
        for name in names:
            kind, _, file = name.rpartition("/")
            if (path := _CGROUPS / kind / folder / file).is_file():
                yield path


def _quota_in(path: Path) -> float:
    """Return the quota in one file in cores; infinity if there is no such file, or no limit."""
    try:
        quota, *period = path.read_text().split()
        period = period or [path.with_name("cpu.cfs_period_us").read_text()]
    except (OSError, ValueError):
        return math.inf
    return math.inf if quota in ("max", "-1") else int(quota) / int(period[0])
