"""The peak memory of this process, and of a GPU."""

import re
import sys
from contextlib import suppress
from pathlib import Path

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak_memory(device: str) -> None:
    """Start to look for the peak again; on a system other than Linux, that of the process can only rise.

    Source: Linux, Documentation/filesystems/proc.rst, ``clear_refs``: "5" resets ``VmHWM``.
    """
    with suppress(OSError):  # not Linux, or not allowed in this container
        _RESET.write_text("5")
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: str) -> dict[str, int | None]:
    """Return the greatest memory in bytes: ``process``, resident; ``gpu``, allocated by torch, None without a GPU."""
    gpu = torch.cuda.max_memory_allocated(device) if device.startswith("cuda") else None
    return {"process": _of_process(), "gpu": gpu}


def _of_process() -> int | None:
    """Return the greatest resident memory of this process in bytes; None where nothing tells it."""
    if _STATUS.exists() and (match := re.search(r"^VmHWM:\s*(\d+) kB", _STATUS.read_text(), re.MULTILINE)):
        return 1024 * int(match[1])
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
