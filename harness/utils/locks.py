"""Locks between processes: one line says what is waited for, and a request to stop is honoured while waiting."""

import logging
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.utils.signals import check_stop

log = logging.getLogger(__name__)

_LOOK = 0.2  # seconds between two looks at a lock that another process holds, and at whether to stop
_SILENT = 1.0  # seconds of waiting before it is said


class ProcessLock:
    """A lock file that one process holds at a time; the same object may take the lock again while it holds it.

    Args:
        path: The lock file. It is created with the mode that the umask gives, so that a group can share it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: FileLock | None = None

    @contextmanager
    def held(self, *, check: Callable[[], None] = check_stop) -> Iterator[None]:
        """Hold the lock during the block; wait if another process holds it.

        Args:
            check: Called while waiting; it may raise in order to stop. By default, a signal stops the process.

        Raises:
            OSError: The lock file cannot be opened.
        """
        waited = 0.0
        while not self.take(timeout=_LOOK):
            check()
            waited += _LOOK
            if waited >= _SILENT > waited - _LOOK:
                log.warning("waiting for %s, which %s holds", self.path, self.holder())
        try:
            yield
        finally:
            self.release()

    def take(self, *, timeout: float = 0.0) -> bool:
        """Take the lock if it becomes free within ``timeout`` seconds; return whether it was taken."""
        if self._lock is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            self._lock = FileLock(self.path, mode=stat.S_IMODE(self.path.stat().st_mode))
        try:
            self._lock.acquire(timeout=timeout, poll_interval=0.05)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        """Release what one ``take`` has taken."""
        assert self._lock is not None
        self._lock.release()

    def holder(self) -> str:
        """Return the process that holds the lock, with its command line if the system tells (Linux)."""
        try:
            number = self.path.stat().st_ino
            for line in Path("/proc/locks").read_text().splitlines():
                kind, pid, file = (line.split()[place] for place in (1, 4, 5))
                if kind == "FLOCK" and int(file.rpartition(":")[2]) == number and int(pid) > 0:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
                    return f"process {pid} ({' '.join(words).strip()[:100]})"
        except (OSError, ValueError, IndexError):
            pass  # another system, or the process has just ended
        return "another process"
