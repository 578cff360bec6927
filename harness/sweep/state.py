"""What a sweep keeps on disk: its jobs, how each went, and the table of those that succeeded."""

import hashlib
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.analysis.report.markdown import brief
from harness.analysis.report.published import published_numbers
from harness.analysis.report.settings import Results, gathered, records_of_sweep
from harness.runs.job import Outcome
from harness.utils.files import write_json, write_text
from harness.utils.text_files import read_json

Overrides = tuple[str, ...]


@dataclass(frozen=True)
class Noted:
    """An outcome, and the process that noted it."""

    outcome: Outcome
    host: str
    pid: int

    @property
    def is_elsewhere(self) -> bool:
        """Whether another machine is at the job, as far as is known here."""
        return self.outcome.status == "running" and self.host != socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether another process of this machine is still at the job."""
        if self.outcome.status != "running" or self.is_elsewhere or self.pid == os.getpid():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


class SweepFolder:
    """The folder of a sweep; the processes of its jobs write to it at the same time.

    ``sweep.json`` lists the jobs, ``jobs/<digest>.json`` says how one went, ``table.md`` is the table so far, and
    ``stopped`` is there where somebody asked to stop.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, jobs: Sequence[Overrides]) -> None:
        """Begin a sweep: what an earlier one of the same jobs has finished stays noted, all else is forgotten."""
        listed = [list(overrides) for overrides in jobs]
        same = _read(self.path / "sweep.json") == {"jobs": listed}
        for path in (self.path / "jobs").glob("*.json"):
            values = _read(path)
            if not (same and isinstance(values, dict) and values.get("outcome", {}).get("status") == "ok"):
                path.unlink(missing_ok=True)
        (self.path / "stopped").unlink(missing_ok=True)
        write_json(self.path / "sweep.json", {"jobs": listed})

    @property
    def stopped(self) -> bool:
        """Whether somebody asked to stop."""
        return (self.path / "stopped").exists()

    def stop(self) -> None:
        """Let the jobs that have not begun know that they shall not."""
        write_text(self.path / "stopped", "")

    def note(self, overrides: Overrides, outcome: Outcome) -> None:
        """Keep how a job goes."""
        values = {"overrides": overrides, "outcome": asdict(outcome), "host": socket.gethostname(), "pid": os.getpid()}
        write_json(self._path_of(overrides), values)

    def noted(self, overrides: Overrides) -> Noted | None:
        """Return how a job went, as far as is known."""
        values = _read(self._path_of(overrides))
        if not isinstance(values, dict):
            return None
        return Noted(Outcome(**values["outcome"]), values["host"], values["pid"])

    def results(self) -> Results | None:
        """Return what has succeeded so far, None where nothing has."""
        runs = [run for run in records_of_sweep(self.path) if run.record.status == "ok"]
        return gathered(runs) if runs else None

    def write_table(self) -> str:
        """Bring ``table.md`` up to date, one process at a time; return it, empty where nothing has succeeded."""
        with FileLock(self.path / ".lock"):
            results = self.results()
            if results is None:
                return ""
            table = brief(results, published_numbers())
            write_text(self.path / "table.md", table + "\n")
            return table

    def _path_of(self, overrides: Overrides) -> Path:
        digest = hashlib.sha256("\0".join(overrides).encode()).hexdigest()[:10]
        return self.path / "jobs" / f"{digest}.json"


def _read(path: Path) -> Any:
    """Return a JSON file's value, None where there is none."""
    return read_json(path, fix="delete it") if path.exists() else None
