"""Run a sweep: list its jobs, encode their features, run them, and report how each of them ended."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from socket import gethostname
from time import perf_counter

from omegaconf import DictConfig, open_dict, read_write

from harness.analysis.report.epochs import notes_on_epochs
from harness.analysis.report.paper_numbers import published_numbers
from harness.analysis.report.tables import overview
from harness.analysis.report.terminal import print_table
from harness.config.request import quoted
from harness.runs.tracker import build_tracker
from harness.sweep.dry_run import dry_run
from harness.sweep.expand import Job, by_data, expand_jobs, sweep_dir
from harness.sweep.launcher import encoding_processes, launch_jobs, settle_processes
from harness.sweep.prefill import fill_features, finished_jobs
from harness.sweep.state import SweepFolder
from harness.utils.console import human_seconds, printable
from harness.utils.signals import Interrupted, listening

log = logging.getLogger(__name__)


def run_sweep(config: DictConfig) -> int:
    """Run every job of a command line, composed with the node ``hydra``; return the exit status.

    Raises:
        HarnessError: The sweep as a whole is wrong.
    """
    folder = SweepFolder(sweep_dir(config))
    _set_hydra_dir(config, folder.path)
    jobs = expand_jobs(config)
    processes = settle_processes(config, len(jobs))
    if config.dry_run:
        text, failing = dry_run(jobs, processes)
        print(text)  # noqa: T201
        return 1 if failing else 0
    with folder.claimed():
        return _run(jobs, config, folder, processes)


def _run(jobs: Sequence[Job], config: DictConfig, folder: SweepFolder, processes: int) -> int:
    """Encode, run the jobs that are not finished, and report; return the exit status."""
    started = perf_counter()
    with listening() as stop:
        finished = finished_jobs(jobs, stop=stop)
    folder.open([job.overrides for job in jobs], finished)
    unfinished = by_data([job for job in jobs if job.overrides not in finished])
    if min(processes, len(unfinished)) > 1:
        log.info("%d jobs run at the same time (hydra/launcher=basic runs one after the other)", processes)
    _fill_features(unfinished, config, folder)
    filled = perf_counter()
    error = launch_jobs(unfinished, config, folder)
    total, features, runs = perf_counter() - started, filled - started, perf_counter() - filled
    share = f"features before the runs {human_seconds(features)} ({features / total:.0%})"
    log.info("the sweep took %s: %s, runs %s", human_seconds(total), share, human_seconds(runs))
    _track_table(jobs, folder)
    return _report(jobs, folder, error)


def _fill_features(jobs: Sequence[Job], config: DictConfig, folder: SweepFolder) -> None:
    """Encode before the jobs run; a stop that is requested meanwhile, here or in a job, stops the sweep."""
    with listening(folder.stop_file) as stop:

        def launch(parts: Sequence[Job]) -> None:
            launch_jobs(parts, config, folder)
            stop.requested = stop.requested or folder.stopped

        try:
            fill_features(jobs, processes=encoding_processes(config, len(jobs)), launch=launch, stop=stop)
        except Interrupted:
            log.info("stopped while encoding; run the same command again to continue")


def _track_table(jobs: Sequence[Job], folder: SweepFolder) -> None:
    """Send the table to the tracker, as one more run in the sweep's group."""
    results = folder.results()
    config = next((job.config for job in jobs if job.config is not None), None)
    if results is None or config is None:
        return
    table = overview(results, published_numbers())
    name = folder.path.name
    values = {"run_name": f"{name}-table", "run_group": name, "run_tags": ["table"], "job_type": "table"}
    tracker = build_tracker(config.tracking, config.plugins, **values, config={"sweep": name})
    tracker.finish_with_table("table", table.columns, table.rows)


def _set_hydra_dir(config: DictConfig, path: Path) -> None:
    """Set ``hydra.sweep.dir``, by which every job, in whatever process, finds the sweep's folder."""
    with read_write(config), open_dict(config):
        config.hydra.sweep.dir = str(path)
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(str(path))}")


def _report(jobs: Sequence[Job], folder: SweepFolder, launcher_error: str) -> int:
    """Print the table, list the jobs that did not succeed, and return the exit status."""
    folder.write_table()
    if (results := folder.results()) is not None:
        print_table(overview(results, published_numbers()), *notes_on_epochs(results.blocks), *results.notes)
        print(f"table: {folder.path / 'table.md'}")  # noqa: T201
    failures = [(job, reason) for job in jobs if (reason := _failure(job, folder, launcher_error)) is not None]
    if not failures:
        return 0
    print(f"{len(failures)} of {len(jobs)} runs did not succeed:", file=sys.stderr)  # noqa: T201
    for job, reason in failures:
        print(f"  {job}: {printable(reason)}", file=sys.stderr)  # noqa: T201
    print("The same command again runs only these.", file=sys.stderr)  # noqa: T201
    return 1


def _failure(job: Job, folder: SweepFolder, launcher_error: str) -> str | None:
    """Return why a job did not succeed, even if it could not report that itself; None if it succeeded."""
    state = folder.read_state(job.overrides)
    if state is None:
        reason = "the sweep was stopped" if folder.stopped else "it could not write its state; see its log"
        return f"not begun: {launcher_error or reason}"
    if state.outcome.status == "running":
        elsewhere = "" if state.host == gethostname() else f", or it still runs on {state.host}"
        return f"its process died (killed, or out of memory), or could not write how it ended{elsewhere}"
    return None if state.outcome.status == "ok" else " ".join(state.outcome.reason.split())
