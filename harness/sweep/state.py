"""The folder of a sweep: its list of jobs, the state of each, and the table of those that succeeded."""

import hashlib
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


from harness.analysis.report.markdown import brief
from harness.analysis.report.paper_numbers import published_numbers
from harness.analysis.report.settings import Results, gathered, records_of_sweep
from harness.runs.job import Outcome
from harness.utils.files import write_json, write_text
from harness.utils.locks import ProcessLock
from harness.utils.text_files import read_json

Overrides = tuple[str, ...]


@dataclass(frozen=True)
class JobState:
    """How a job ended, or that it is running, and the machine and the id of the process that wrote this state."""

    outcome: Outcome
    host: str
    pid: int

    @property
    def is_alive(self) -> bool:
        """Whether another process of this machine is still running the job."""
        if self.outcome.status != "running" or self.host != socket.gethostname() or self.pid == os.getpid():
            return False
        try:
            os.kill(self.pid, 0)
        except OSError:  # there is no such process, or it belongs to another user
            return False
        return True


class SweepFolder:
    """The folder of a sweep, to which the processes of its jobs write at the same time.

    ``sweep.json`` lists the jobs, ``jobs/<digest>.json`` holds the state of one, ``table.md`` is the table so far, and
    the file ``stopped`` exists after somebody asked to stop.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, jobs: Sequence[Overrides]) -> None:
        """Start a sweep. If its jobs are the same, keep the successful outcomes until the jobs report again."""
        listed = [list(overrides) for overrides in jobs]
        same = _read(self.path / "sweep.json") == {"jobs": listed}
        for path in (self.path / "jobs").glob("*.json"):
            state = _read(path)  # None if another process has just deleted it
            if not (same and isinstance(state, dict) and state.get("outcome", {}).get("status") == "ok"):
                path.unlink(missing_ok=True)
        (self.path / "stopped").unlink(missing_ok=True)
        write_json(self.path / "sweep.json", {"jobs": listed})

    @property
    def stopped(self) -> bool:
        """Whether somebody asked to stop."""
        return (self.path / "stopped").exists()

    def stop(self) -> None:
        """Prevent the jobs that have not begun from starting."""
        write_text(self.path / "stopped", "")

    def write_outcome(self, overrides: Overrides, outcome: Outcome) -> None:
        """Write how a job ended, or that it is running in this process.

        Args:
            overrides: The overrides of the job.
            outcome: How it ended.
        """
        values = {"overrides": overrides, "outcome": asdict(outcome), "host": socket.gethostname(), "pid": os.getpid()}
        write_json(self._state_path(overrides), values)

    def read_state(self, overrides: Overrides) -> JobState | None:
        """Return the last known state of the job with these overrides; None if it has not begun."""
        values: dict[str, Any] | None = _read(self._state_path(overrides))
        return JobState(Outcome(**values["outcome"]), values["host"], values["pid"]) if values is not None else None

    def results(self) -> Results | None:
        """Return the results of all runs that have succeeded so far; None if there are none."""
        runs = [run for run in records_of_sweep(self.path) if run.record.status == "ok"]
        return gathered(runs) if runs else None

    def write_table(self) -> str:
        """Update ``table.md``, one process at a time; return its text, empty if no run has succeeded."""
        with ProcessLock(self.path / ".lock").held():
            results = self.results()
            if results is None:
                return ""
            table = brief(results, published_numbers())
            write_text(self.path / "table.md", table + "\n")
            return table

    def _state_path(self, overrides: Overrides) -> Path:
        digest = hashlib.sha256("\0".join(overrides).encode()).hexdigest()[:10]
        return self.path / "jobs" / f"{digest}.json"


def _read(path: Path) -> Any:
    """Return the value of a JSON file; None if the file does not exist."""
    return read_json(path, fix="delete it") if path.exists() else None
