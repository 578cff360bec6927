"""Stop a run without losing work: the first SIGINT or SIGTERM asks it to stop, the second one kills it."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)


class Interrupted(Exception):
    """The run was asked to stop, and everything that it needs to continue later is on disk."""


class Stop:
    """Holds whether someone has asked the run to stop (``requested``)."""

    def __init__(self) -> None:
        self.requested = False

    def check(self) -> None:
        """Raise ``Interrupted`` if a stop was requested; call it at points where no work would be lost."""
        if self.requested:
            raise Interrupted("stopped by a signal; run the same command again to continue")


_heard: list[Stop] = []  # those of the blocks that listen now


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
def listening() -> Iterator[Stop]:
    """Yield a ``Stop`` that SIGINT and SIGTERM set; a second signal has its usual effect."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Python delivers signals to the main thread only
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: FrameType | None) -> None:
        stop.requested = True
        log.warning("stopping at the next point where no work is lost; send a second signal to stop immediately")
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    _heard.append(stop)
    try:
        yield stop
    finally:
        _heard.remove(stop)
        for number, handler in before.items():
            signal.signal(number, handler)
