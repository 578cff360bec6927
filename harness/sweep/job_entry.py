"""The function that a launcher calls for each job of a sweep, in whatever process it chooses."""

import logging
import os
import signal
from collections.abc import Set
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from harness.config.compose import register_resolvers
from harness.config.secrets import overrides_of
from harness.errors import one_line
from harness.runs.job import run_job
from harness.runs.outcome import Outcome
from harness.sweep.gpu_locks import reserve_gpu
from harness.sweep.state import SweepFolder
from harness.utils.console import configure_logging
from harness.utils.signals import Interrupted, Stop, hearing_signals, listening, stop_without

log = logging.getLogger(__name__)


def run_sweep_job(config: DictConfig, *, launcher_pid: int, common: Set[str]) -> None:
    """Run one job unless the sweep was stopped; write its outcome to the sweep's folder and update the table.

    Args:
        config: The configuration of the job.
        launcher_pid: The process of the launcher. In another process, the job may run beside others.
        common: The overrides that all jobs have; the job's name in the log leaves them out.
    """
    hydra = HydraConfig.get()
    overrides = overrides_of(hydra)
    name = " ".join(word for word in overrides if word not in common) or "the only job"
    is_alone, is_child = os.getpid() == launcher_pid, os.getppid() == launcher_pid
    configure_logging("" if is_alone else name)
    register_resolvers()
    if is_child:
        stop_without(launcher_pid)
    try:
        _run_and_write(config, SweepFolder(Path(hydra.sweep.dir)), overrides, name)
    except OSError as error:  # for example of a full disk; the sweep will list the job
        log.error("%s: %s", name, one_line(error))
    finally:
        if not is_alone:  # Ctrl-C reaches the idle processes of a pool too; the end of one would end the whole pool
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        if is_child and os.getppid() != launcher_pid:
            os._exit(1)  # and begin none of the jobs that still wait in the pool


def _run_and_write(config: DictConfig, folder: SweepFolder, overrides: tuple[str, ...], name: str) -> None:
    with listening(folder.stop_file) as stop:  # until all is written, because a pool may end after that
        if folder.stopped:
            folder.write_outcome(overrides, Outcome("interrupted", 1, "not begun: the sweep was stopped"))
            return
        folder.write_outcome(overrides, Outcome("running"))
        with hearing_signals():
            outcome = _outcome(config, stop, name)
        if outcome.status != "ok":
            log.warning("%s: %s", name, outcome.reason)
        folder.write_outcome(overrides, outcome)
        folder.write_table()


def _outcome(config: DictConfig, stop: Stop, name: str) -> Outcome:
    """Run one job, on a GPU of its own if there are several, and return how it ended."""
    try:
        with reserve_gpu(config) as config:
            return run_job(config, stop=stop, name=name, task=str(HydraConfig.get().runtime.choices.get("task")))
    except OSError as error:
        return Outcome("failed", 1, one_line(error))
    except SystemExit as error:  # it would end the sweep, or the pool of its launcher
        return Outcome("failed", 1, f"its code has called sys.exit({error.code!r}); raise an error instead")
    except Interrupted as reason:
        return Outcome("interrupted", 1, str(reason))
