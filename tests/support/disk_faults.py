"""Break a process's writes to disk on purpose: kill it at one of them, or let the disk be full from one of them on.

Every write that Python makes, and every fsync, rename, truncation and deletion, is one step; so is each call of a
library that writes a whole file outside Python. A broken write leaves half of its bytes, as a real one may.
"""

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tests.support.fast_setup import no_fsync

Fault = Literal["kill", "full"]

KILLED = 137  # exit status of a process that SIGKILL ended, as shells report it
_CALLS = {"kill": ("fsync", "replace", "rename", "truncate", "unlink", "mkdir"), "full": ("fsync", "rename", "mkdir")}


class DiskFaults:
    """Counts the steps of this process below a folder, and breaks one of them.

    Args:
        folder: Only writes to files below it are steps.
        fault: ``kill`` ends the process without any clean-up; with ``full``, this step and every later write fails.
        at: The step to break, counted from 1; 0 for none.
    """

    def __init__(self, folder: Path, *, fault: Fault, at: int) -> None:
        self.steps = 0
        self._folder, self._fault, self._at = str(folder), fault, at

    def install(self) -> None:
        """Replace the functions that write to disk; for a process that ends soon."""
        import builtins

        import safetensors.torch
        import torch

        os.fsync = no_fsync
        for name in _CALLS[self._fault]:
            setattr(os, name, self._call(getattr(os, name)))
        io.open = builtins.open = self._open(io.open)  # type: ignore[assignment]
        torch.save = self._whole_file(torch.save)
        safetensors.torch.save_file = self._whole_file(safetensors.torch.save_file)

    def is_broken(self) -> bool:
        """Count a step; return whether it is one to break."""
        self.steps += 1
        return self.steps == self._at or (self._fault == "full" and 0 < self._at < self.steps)

    def strike(self, path: Any = None) -> None:
        """Do to the process what was asked for; a failed write of an open file names no path."""
        if self._fault == "kill":
            sys.stdout.flush()
            os._exit(KILLED)
        named = [str(path)] if path is not None else []
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *named)

    def _call(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of ``os`` whose calls are steps."""

        def call(first: Any, *more: Any, **options: Any) -> Any:
            if self.is_broken():
                self.strike(None if isinstance(first, int) else first)
            return real(first, *more, **options)

        return call

    def _open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function ``open`` whose files count each write of bytes as a step."""
        faults = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                if faults.is_broken():
                    super().write(memoryview(data)[: len(data) // 2])
                    faults.strike()
                return super().write(data)

        def opened(file: Any, mode: str = "r", buffering: int = -1, *text: Any, **options: Any) -> Any:
            inside = isinstance(file, str | os.PathLike) and os.fspath(file).startswith(faults._folder)
            if not inside or "+" in mode or not set(mode) & set("wax"):
                return real(file, mode, buffering, *text, **options)
            buffered = io.BufferedWriter(File(file, mode.translate({ord("b"): None, ord("t"): None})))
            return buffered if "b" in mode else io.TextIOWrapper(buffered, *text, **options)

        return opened

    def _whole_file(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function (content, path) that writes a file outside Python; each call with a path is a step."""

        def write(content: Any, path: Any, *more: Any, **options: Any) -> None:
            broken = isinstance(path, str | os.PathLike) and self.is_broken()
            if broken and self._fault == "full":
                Path(path).unlink(missing_ok=True)
                Path(path).symlink_to("/dev/full")  # the library meets the error itself, and raises what it raises
            real(content, path, *more, **options)
            if broken:
                os.truncate(path, Path(path).stat().st_size // 2)
                self.strike()

        return write
