"""A tracker from outside the harness may raise any error, and the run continues."""

import logging
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.optional_protocols import Linked
from harness.runs.tracker import build_tracker
from harness.tracking.guard import guarded
from harness.tracking.wandb_tracker import NoTracker


class Broken:
    """Raises at every call, and notes them."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def log(self, values: Any, *, step: int) -> None:
        self.calls.append(f"log {step}")
        raise RuntimeError("no\nnet")

    def finish(self, record: Any, files: Any) -> None:
        self.calls.append("finish")
        raise RuntimeError("still no net")

    def finish_with_table(self, name: str, columns: Any, rows: Any) -> None:
        self.calls.append("table")


class WithPage(Broken):
    """Knows its page after the first epoch."""

    url: Any = None

    def log(self, values: Any, *, step: int) -> None:
        self.url = "https://example.org/run"


class Unreachable(Broken):
    def __init__(self) -> None:
        raise ConnectionError("no net")


def test_the_first_failure_is_one_warning_and_the_tracker_is_still_closed(caplog: pytest.LogCaptureFixture) -> None:
    tracker = build_tracker({"_target_": f"{__name__}.Broken"}, ["tests"])
    with caplog.at_level(logging.WARNING):
        tracker.log({}, step=1)
        tracker.log({}, step=2)
        tracker.finish({}, {})
        tracker.finish_with_table("x", [], [])
    assert tracker._tracker.calls == ["log 1", "finish", "table"]  # type: ignore[attr-defined]
    assert [one.message for one in caplog.records] == ["Broken failed and is not used any more: no net"]


def test_a_page_is_passed_on() -> None:
    assert not isinstance(guarded(Broken()), Linked)
    tracker = guarded(WithPage())
    assert isinstance(tracker, Linked)
    assert tracker.url == ""
    tracker.log({}, step=1)
    assert tracker.url == "https://example.org/run"


def test_a_tracker_that_cannot_be_built_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tracker = build_tracker({"_target_": f"{__name__}.Unreachable"}, ["tests"])
    assert isinstance(tracker, NoTracker)
    assert "the tracker cannot be built and is not used: ConnectionError: no net, at " in caplog.text
    with pytest.raises(ConfigError, match="no such option"):
        build_tracker({"_target_": f"{__name__}.Broken", "sise": 3}, ["tests"])
