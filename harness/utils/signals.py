"""Stop a run without losing work: the first SIGINT or SIGTERM asks it to stop, the second one kills it."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)


class Interrupted(Exception):
    """The run was asked to stop, and everything that it needs to continue later is on disk."""


class Stop:
    """Holds whether someone has asked the run to stop (``requested``).

    Args:
        file: A file that is written with the request. Processes that use the same file stop together, also on several
            machines: each looks at it once a second.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._requested, self._file, self._looked = False, file, 0.0

    @property
    def requested(self) -> bool:
        """Whether this process, or another one with the same file, was asked to stop."""
        if self._file is not None and not self._requested and time.monotonic() - self._looked > 1:
            self._looked = time.monotonic()
            self._requested = self._file.exists()
        return self._requested

    @requested.setter
    def requested(self, value: bool) -> None:
        self._requested = value
        if value and self._file is not None:
            self._file.touch()

    def check(self) -> None:
        """Raise ``Interrupted`` if a stop was requested; call it at points where no work would be lost."""
        if self.requested:
            raise Interrupted("stopped by a signal; run the same command again to continue")


_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_heard: list[Stop] = []  # those of the blocks that listen now
_usual: dict[signal.Signals, Any] = {}  # what the signals do outside of these blocks


def check_stop() -> None:
    """Raise ``Interrupted`` if a signal has asked this process to stop; for places that are given no ``Stop``."""
    for stop in _heard:
        stop.check()


def is_alive(pid: int) -> bool:
    """Return whether this machine has a process with this id."""
    if not 0 < pid < 2**31:  # no process has such an id: it is from a damaged file
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it belongs to another user
    return True


@contextmanager
def listening(file: Path | None = None) -> Iterator[Stop]:
    """Yield a ``Stop`` that SIGINT and SIGTERM set; a second signal has its usual effect.

    A signal also sets the ``Stop`` of every block around this one.

    Args:
        file: A file by which several processes stop together.
    """
    stop = Stop(file)
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Python delivers signals to the main thread only
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    if not _heard:
        _usual.update(before)

    def ask(number: int, _: FrameType | None) -> None:
        signal.signal(number, _usual[signal.Signals(number)])
        log.warning("stopping at the next point where no work is lost; send a second signal to stop immediately")
        for one in _heard:
            one.requested = True

    for number in before:
        signal.signal(number, ask)
    _heard.append(stop)
    try:
        yield stop
    finally:
        _heard.remove(stop)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def children_deaf() -> Iterator[None]:
    """Keep SIGINT and SIGTERM from processes that start in this block; this process still hears them.

    Ctrl-C and ``timeout`` send a signal to the whole process group. A process that is still importing, or is idle, has
    no handler and would die, and with it the pool. Linux passes the signals that a thread blocks to the processes that
    it starts. Another thread, which blocks nothing, receives the signals here; Python handles them in the main thread.
    """
    ensure_running()  # joblib would start this helper of Python later, and that lifts the block (before Python 3.13)
    ended = threading.Event()
    hearing = threading.Thread(target=ended.wait, daemon=True)
    hearing.start()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        ended.set()
        hearing.join()


@contextmanager
def hearing_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM through in this block, in a process that started deaf to them."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache
def stop_without(parent: int) -> None:
    """End this process when its parent process has ended, with exit status 1.

    SIGTERM asks first. A job, which must be inside a block ``listening`` of the main thread, ends with a checkpoint.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)
        while _heard:  # a job runs, which ends at the next point where no work is lost
            time.sleep(0.05)
        os._exit(1)  # nobody reads results any more, so this process could wait forever to send one

    threading.Thread(target=watch, daemon=True).start()
