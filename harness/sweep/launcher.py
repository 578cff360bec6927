"""Handing jobs to one of Hydra's launchers, and seeing to it that none is lost where a process dies."""

import logging
import os
import time
from collections.abc import Iterator, Sequence

from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext
from omegaconf import DictConfig

from harness.sweep.expand import Job
from harness.sweep.job_entry import work
from harness.sweep.state import SweepFolder

log = logging.getLogger(__name__)

_ELSEWHERE = 8  # processes that encode, at most, where a launcher has other machines
_LOOK = 0.5  # seconds between looks at the jobs of processes that a launcher has left behind


def at_once(config: DictConfig) -> int:
    """Return how many jobs the launcher runs on this machine at the same time.

    ``submitit_local`` begins whatever it is given; it is given ``hydra.sweeper.max_batch_size`` jobs at a time, by
    default one a processor.
    """
    kind = _kind(config)
    if kind == "JoblibLauncher":
        jobs = config.hydra.launcher.n_jobs or 1
        return int(jobs) if jobs > 0 else max(1, processors() + 1 + int(jobs))
    if kind == "LocalLauncher":
        return config.hydra.sweeper.max_batch_size or processors()
    return 1


def encoding_processes(config: DictConfig, jobs: int) -> int:
    """Return how many of the launcher's processes share what is to be encoded: as many as run jobs at the same time."""
    elsewhere = _kind(config) in ("SlurmLauncher", "RayLauncher")
    return min(jobs, _ELSEWHERE) if elsewhere else at_once(config)


def _kind(config: DictConfig) -> str:
    return str(config.hydra.launcher._target_).rpartition(".")[2]


def threads_override(config: DictConfig) -> list[str]:
    """Return the override that divides the processors among the jobs that run at the same time, where none is set."""
    jobs = at_once(config)
    return [f"threads={max(1, processors() // jobs)}"] if jobs > 1 and config.threads is None else []


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Launching:
    """Runs jobs in rounds, until each has ended, died by itself, or could not be begun.

    Args:
        config: of the sweep.
        folder: where jobs note how they go.
    """

    def __init__(self, config: DictConfig, folder: SweepFolder) -> None:
        self.trouble = ""  # why the last launch ended early
        self._folder = folder
        self._launched = 0
        self._pool = _kind(config) == "JoblibLauncher"
        self._size = at_once(config) if _kind(config) == "LocalLauncher" else config.hydra.sweeper.max_batch_size
        context = HydraContext(config_loader=GlobalHydra.instance().config_loader(), callbacks=Callbacks(config))
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=work, config=config
        )

    def run(self, jobs: Sequence[Job]) -> None:
        """Run the jobs.

        Where the processes of a pool die together because one of them did, those that had not begun are begun in a
        new pool, and those that died are tried once more, each by itself.
        """
        for batch in _batches(jobs, self._size):
            left = list(batch)
            while left and not self._folder.stopped:
                self._launch(left)
                not_begun = [job for job in left if self._folder.noted(job.overrides) is None]
                if len(not_begun) == len(left):
                    return
                left = not_begun
        if self._pool:
            for job in [job for job in jobs if self._died(job)]:
                if not self._folder.stopped:
                    log.warning("%s: its process died, perhaps with another's; once more, by itself", job)
                    self._launch([job])

    def encode(self, shares: Sequence[Job]) -> None:
        """Run jobs that only encode; what one of them leaves undone is encoded before the first run."""
        for batch in _batches(shares, self._size):
            if not self._folder.stopped:
                self._launch(batch)
        for job in shares:
            noted = self._folder.noted(job.overrides)
            if not self._folder.stopped and (noted is None or noted.outcome.status != "ok"):
                log.warning("%s: %s", job, (noted and noted.outcome.reason) or self.trouble or "its process died")
        self.trouble = ""

    def _died(self, job: Job) -> bool:
        noted = self._folder.noted(job.overrides)
        return noted is not None and noted.outcome.status == "running"

    def _launch(self, jobs: Sequence[Job]) -> None:
        first, self._launched = self._launched, self._launched + len(jobs)
        try:
            self._launcher.launch([job.overrides for job in jobs], initial_job_idx=first)
        except KeyboardInterrupt:
            self.trouble = "the sweep was stopped"
            self._folder.stop()
        except Exception as error:  # a launcher may raise whatever its engine does; the jobs have their own word
            self.trouble = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            log.warning("the launcher ended early: %s", self.trouble)
        while any(noted.alive for job in jobs if (noted := self._folder.noted(job.overrides)) is not None):
            time.sleep(_LOOK)


def _batches(jobs: Sequence[Job], size: int | None) -> Iterator[Sequence[Job]]:
    step = size or max(1, len(jobs))
    for start in range(0, len(jobs), step):
        yield jobs[start : start + step]
