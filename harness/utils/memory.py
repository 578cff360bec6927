"""The memory of this process: what the C library keeps of it, and its peak; and the peak of a GPU."""

import ctypes
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

_OPTIONS = {  # of mallopt(3): the number of each option, and its value
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),  # bytes that may be free at the end of the heap
    "MALLOC_MMAP_THRESHOLD_": (-3, 32 * 2**20),  # larger blocks are taken from the system; glibc allows no more
}


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next tensors.

    By default it returns to the system what is free at the end of the heap, and a training step faults the same pages
    in again, page by page. Where the C library is another one, or the user has set one of its options, nothing changes.
    """
    library = _glibc()
    if library is not None and not {*_OPTIONS, "GLIBC_TUNABLES"} & os.environ.keys():
        for number, value in _OPTIONS.values():
            library.mallopt(number, value)


def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "gnu_get_libc_version") else None


def reset_peak_memory(device: str) -> None:
    """Start to look for the peak again; on a system other than Linux, that of the process can only rise.

    Memory that the C library has kept goes back to the system, because it belongs to what ran before.

    Source: Linux, Documentation/filesystems/proc.rst, ``clear_refs``: "5" resets ``VmHWM``.
    """
    if (library := _glibc()) is not None:
        library.malloc_trim(0)
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
