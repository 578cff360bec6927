"""The folder of a sweep: its list of jobs, the state of each, and the table of those that succeeded."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.analysis.report.markdown import brief
from harness.analysis.report.paper_numbers import published_numbers
from harness.analysis.report.settings import Damaged, Recorded, Results, gathered, records_of_sweep
from harness.errors import ConfigError
from harness.runs.outcome import JobState, Outcome, read_job_state, write_job_state
from harness.utils.files import write_json, write_text
from harness.utils.locks import ProcessLock

Overrides = tuple[str, ...]


class SweepFolder:
    """The folder of a sweep, to which the processes of its jobs write at the same time.

    ``sweep.json`` lists the jobs, ``jobs/<digest>.json`` holds the state of one, ``table.md`` is the table so far, and
    the file ``stopped`` exists after somebody asked to stop.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other sweeps of the same name out of the folder until the block ends.

        Raises:
            ConfigError: A sweep of this name is running.
        """
        lock = ProcessLock(self.path / ".running")
        if not lock.take():
            raise ConfigError(
                f"{self.path}: {lock.holder()} is running a sweep of this name; "
                "wait until it has ended, or choose another name with sweep=NAME"
            )
        try:
            yield
        finally:
            lock.release()

    def open(self, jobs: Sequence[Overrides], finished: Mapping[Overrides, Outcome]) -> None:
        """Start a sweep: forget the jobs of an earlier one of this name, and write the outcomes that are known.

        Args:
            jobs: The overrides of each job.
            finished: The outcomes of the jobs that need not run.
        """
        known = {self._state_path(overrides): (overrides, outcome) for overrides, outcome in finished.items()}
        for path in (self.path / "jobs").glob("*.json"):
            if path not in known:
                path.unlink(missing_ok=True)
        for path, (overrides, outcome) in known.items():
            write_job_state(path, overrides, outcome)
        self.stop_file.unlink(missing_ok=True)
        write_json(self.path / "sweep.json", {"jobs": [list(overrides) for overrides in jobs]})

    @property
    def stopped(self) -> bool:
        """Whether somebody asked to stop."""
        return self.stop_file.exists()

    @property
    def stop_file(self) -> Path:
        """The file that asks every job to stop, whatever process runs it."""
        return self.path / "stopped"

    def stop(self) -> None:
        """Stop the jobs that run, and prevent those that have not begun from starting."""
        write_text(self.stop_file, "")

    def write_outcome(self, overrides: Overrides, outcome: Outcome) -> None:
        """Write how a job ended, or that it is running in this process.

        Args:
            overrides: The overrides of the job.
            outcome: How it ended.
        """
        write_job_state(self._state_path(overrides), overrides, outcome)

    def read_state(self, overrides: Overrides) -> JobState | None:
        """Return the last known state of the job with these overrides; None if it has not begun."""
        return read_job_state(self._state_path(overrides))

    def results(self) -> Results | None:
        """Return the results of all runs that have succeeded so far; None if there are none."""
        runs = [run for run in records_of_sweep(self.path) if isinstance(run, Damaged) or run.record.status == "ok"]
        return gathered(runs) if any(isinstance(run, Recorded) for run in runs) else None

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
        digest = hashlib.sha256("\0".join(overrides).encode(errors="surrogatepass")).hexdigest()[:10]
        return self.path / "jobs" / f"{digest}.json"
