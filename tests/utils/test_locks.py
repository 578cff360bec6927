"""Locks: what waiting says, and that a signal ends it, at every lock of the harness."""

import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.runs.encode_shard import encode_shard
from harness.runs.record import LOCK
from harness.sweep.state import SweepFolder
from harness.utils import download, locks
from harness.utils.locks import ProcessLock
from harness.utils.signals import Interrupted, listening
from tests.support.runs import SMALL, config_of, small_run

HOLDS = """
import sys, time
from pathlib import Path
from harness.utils.locks import ProcessLock
with ProcessLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(60)
"""


class Holder:
    """Processes that hold locks until the test ends; they are stopped, as a process that is debugged is."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[str]] = []

    def take(self, path: Path) -> int:
        command = [sys.executable, "-c", HOLDS, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        os.kill(process.pid, signal.SIGSTOP)
        return process.pid


@pytest.fixture
def holder() -> Iterator[Holder]:
    made = Holder()
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def wait_at(path: Path) -> None:
    with ProcessLock(path).held():
        raise AssertionError("the lock was free")


def test_waiting_names_the_lock_and_its_holder(
    holder: Holder, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_SILENT", 0.2)
    path = tmp_path / "new" / "lock"
    pid = holder.take(path)
    with listening() as stop, caplog.at_level(logging.WARNING):
        threading.Timer(1.0, lambda: setattr(stop, "requested", True)).start()
        with pytest.raises(Interrupted):
            wait_at(path)
    (line,) = caplog.messages  # said once
    if sys.platform == "linux":
        assert line.startswith(f"waiting for {path}, which process {pid} ({sys.executable} -c")
    monkeypatch.setattr(locks, "Path", lambda _: tmp_path / "a system without these files")
    assert ProcessLock(path).holder() == "another process"


def test_one_sigterm_ends_the_wait_at_each_lock(
    holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = small_run(tmp_path, "trainer.max_epochs=1")
    (run,) = (tmp_path / "results" / record.task).iterdir()
    (run / "record.json").unlink()
    (store,) = (tmp_path / "cache" / "features").iterdir()
    places = {
        "a sweep's table": (tmp_path / "sweep" / ".lock", lambda _: SweepFolder(tmp_path / "sweep").write_table()),
        "a download": (tmp_path / "file.txt.lock", lambda _: download.fetch("http://x/file.txt", folder=tmp_path)),
        "a run": (run / LOCK, lambda stop: small_run(tmp_path, "trainer.max_epochs=1", stop=stop)),
        "the store": (store / "lock", lambda stop: encode_shard(config_of(tmp_path, *SMALL, "seed=2"), stop=stop)),
    }
    for name, (path, wait) in places.items():
        holder.take(path)
        with listening() as stop:
            threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM]).start()
            with pytest.raises(Interrupted):
                wait(stop)
        assert stop.requested, name


def test_the_lock_is_released_whatever_the_block_raises(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "lock")
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), lock.held():
            raise error
        assert ProcessLock(lock.path).take()


def test_the_lock_of_a_run_is_released_when_its_record_is_damaged(tmp_path: Path) -> None:
    small_run(tmp_path, "trainer.max_epochs=1")
    (path,) = (tmp_path / "results").glob("*/*/record.json")
    path.write_text("{")
    with pytest.raises(Exception, match=r"record\.json"):
        small_run(tmp_path, "trainer.max_epochs=1")
    assert ProcessLock(path.parent / LOCK).take()


def test_the_same_object_may_take_its_lock_twice(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "lock")
    with lock.held(), lock.held():
        pass
    assert ProcessLock(lock.path).take()


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_a_lock_has_the_mode_of_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with ProcessLock(tmp_path / "lock").held():
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o666 & ~umask
    finally:
        os.umask(before)
