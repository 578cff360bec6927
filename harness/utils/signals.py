"""Stopping politely: the first SIGINT or SIGTERM asks, the second one kills."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)


class Interrupted(Exception):
    """The run was asked to stop, and everything it needs to go on later is on disk."""


class Stop:
    """Whether someone has asked the run to stop."""

    def __init__(self) -> None:
        self.requested = False

    def check(self) -> None:
        """Raise ``Interrupted`` if a stop was asked for; called where nothing would be lost."""
        if self.requested:
            raise Interrupted("stopped by a signal; the same command goes on from here")


@contextmanager
def listening() -> Iterator[Stop]:
    """Yield a ``Stop`` that SIGINT and SIGTERM set; a second signal has its usual effect."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals reach the main thread alone
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: FrameType | None) -> None:
        stop.requested = True
        log.warning("stopping as soon as nothing is lost by it; a second signal stops at once")
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
