"""A tracker never makes a run fail: what it raises is one warning."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from harness.protocols import Tracker

log = logging.getLogger(__name__)


class Guard:
    """Runs actions that may fail. The first failure is one warning; later actions are skipped, unless ``always``.

    Args:
        name: What the warning says has failed.
    """

    def __init__(self, name: str) -> None:
        self._name, self._failed = name, False

    def __call__(self, action: Callable[[], Any], *, always: bool = False) -> Any:
        """Return the result of an action; None if it fails, or was skipped."""
        if self._failed and not always:
            return None
        try:
            return action()
        except Exception as error:  # a tracker may raise any error; the record is on disk, so the run continues
            if not self._failed:
                message = " ".join(str(error).split())[:300]
                log.warning("%s failed and is not used any more: %s", self._name, message)
            self._failed = True
            return None


def guarded(tracker: Tracker) -> Tracker:
    """Return a tracker that passes every call on to one from outside the harness, and raises nothing."""
    return _GuardedLinked(tracker) if hasattr(type(tracker), "url") or "url" in vars(tracker) else _Guarded(tracker)


class _Guarded:
    def __init__(self, tracker: Tracker) -> None:
        self._tracker, self._guard = tracker, Guard(type(tracker).__name__)

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        self._guard(partial(self._tracker.log, values, step=step))

    def finish(self, record: Mapping[str, Any], files: Mapping[str, str]) -> None:
        self._guard(partial(self._tracker.finish, record, files), always=True)

    def finish_with_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self._guard(partial(self._tracker.finish_with_table, name, columns, rows), always=True)


class _GuardedLinked(_Guarded):
    @property
    def url(self) -> str:
        tracker: Any = self._tracker
        return self._guard(lambda: str(tracker.url or "")) or ""
