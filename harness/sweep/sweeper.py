"""The way of a sweep: its jobs, their features, then the jobs themselves, and what became of them."""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from harness.analysis.report.published import published_numbers
from harness.analysis.report.tables import overview
from harness.config.compose import bad_request, wrong_requests_explained
from harness.errors import HarnessError
from harness.runs.job import Outcome
from harness.runs.plan import tracker_of
from harness.sweep.expand import Job, spanned, sweep_dir
from harness.sweep.launcher import Launching, encoding_processes, threads_override
from harness.sweep.prefill import dry_run, fill_features, shares
from harness.sweep.state import SweepFolder
from harness.utils.console import human_seconds
from harness.utils.signals import Interrupted, Stop, listening

log = logging.getLogger(__name__)

Done = TypeVar("Done")


class Sweep(Callback):
    """Takes a sweep over from Hydra, which calls it before the first job.

    Hydra's own sweeper knows nothing of features, and ends where the process of one job dies. Only a sweeper of
    another kind (``hydra/sweeper=...``) is left to itself.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Run the sweep and exit."""
        if not str(config.hydra.sweeper._target_).endswith(".BasicSweeper"):
            return
        try:
            with wrong_requests_explained():
                status = run_sweep(config)
        except HarnessError as error:
            bad_request(str(error), exit_status=error.exit_status)
        except Exception:  # Hydra would make a warning of it, and go on
            log.exception("the sweep failed")
            sys.exit(1)
        sys.exit(status)


def run_sweep(config: DictConfig) -> int:
    """Run what a command line spans; return the exit status.

    Args:
        config: of the sweep, with its node ``hydra``.

    Raises:
        HarnessError: the sweep as a whole is wrong.
    """
    folder = SweepFolder(sweep_dir(config))
    _tell_jobs(config, folder.path)
    jobs = spanned(config, threads_override(config))
    if config.dry_run:
        print(dry_run(jobs))  # noqa: T201
        return 0
    folder.open([job.overrides for job in jobs])
    launching = Launching(config, folder)
    began = perf_counter()
    processes = encoding_processes(config, len(jobs))
    launching.encode(_unless_stopped(folder, lambda stop: shares(jobs, processes, stop)) or [])
    _unless_stopped(folder, lambda stop: fill_features(jobs, stop))
    filled = perf_counter()
    launching.run(jobs)
    _log_time(features=filled - began, runs=perf_counter() - filled)
    _track_table(jobs, folder)
    return _report(jobs, folder, launching.trouble)


def _unless_stopped(folder: SweepFolder, work: Callable[[Stop], Done]) -> Done | None:
    """Do work ahead of the runs. A stop, wherever it was asked for, holds for all that comes after it."""
    if folder.stopped:
        return None
    with listening() as stop:
        try:
            return work(stop)
        except Interrupted:
            log.info("stopped while encoding; the same command goes on from here")
            return None
        finally:
            if stop.requested:
                folder.stop()


def _log_time(*, features: float, runs: float) -> None:
    """Say how long the sweep took, and how much of it went into features."""
    whole = features + runs
    ahead = f"features ahead of the runs {human_seconds(features)} ({features / whole:.0%})"
    log.info("the sweep took %s: %s, runs %s", human_seconds(whole), ahead, human_seconds(runs))


def _track_table(jobs: Sequence[Job], folder: SweepFolder) -> None:
    """Give the tracker the table too, as a run of its own in the sweep's group."""
    results = folder.results()
    config = next((job.config for job in jobs if job.config is not None), None)
    if results is None or config is None:
        return
    table = overview(results, published_numbers())
    name = folder.path.name
    tracker = tracker_of(
        config, run_name=f"{name}-table", run_group=name, run_tags=["table"], job_type="table", values={"sweep": name}
    )
    tracker.finish_with_table("table", table.columns, table.rows)


def _tell_jobs(config: DictConfig, path: Path) -> None:
    """Let every job, in whichever process, know the sweep's folder by Hydra's own name for it."""
    quoted = str(path).replace("\\", "\\\\").replace("'", "\\'")
    with read_write(config), open_dict(config):
        config.hydra.sweep.dir = str(path)
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")


def _report(jobs: Sequence[Job], folder: SweepFolder, trouble: str) -> int:
    """Print the table, name what did not succeed, and return the exit status."""
    if table := folder.write_table():
        print(table)  # noqa: T201
        print(f"table: {folder.path / 'table.md'}")  # noqa: T201
    outcomes = [(job, _outcome(job, folder, trouble)) for job in jobs]
    bad = [(job, outcome) for job, outcome in outcomes if outcome.status != "ok"]
    if bad:
        print(f"{len(bad)} of {len(jobs)} runs did not succeed:", file=sys.stderr)  # noqa: T201
        for job, outcome in bad:
            print(f"  {job}: {outcome.reason}", file=sys.stderr)  # noqa: T201
    return 1 if bad else 0


def _outcome(job: Job, folder: SweepFolder, trouble: str) -> Outcome:
    """Return how a job went, also where it could not say so itself."""
    noted = folder.noted(job.overrides)
    if noted is None:
        return Outcome("failed", 1, f"not begun: {trouble or 'the sweep was stopped'}")
    if noted.outcome.status == "running":
        if noted.alive or noted.is_elsewhere:
            return Outcome("running", 1, f"still under way in process {noted.pid} of {noted.host}")
        return Outcome("failed", 1, "its process died (killed, or out of memory); the same command tries it again")
    return noted.outcome
