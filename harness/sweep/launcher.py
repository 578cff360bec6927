"""Run the jobs of a sweep with one of Hydra's launchers."""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict, read_write

from harness.sweep.expand import Job
from harness.sweep.job_entry import run_sweep_job
from harness.sweep.state import SweepFolder
from harness.training.determinism import default_threads
from harness.utils.devices import usable_cores, usable_memory
from harness.utils.signals import children_deaf, listening, stop_without

log = logging.getLogger(__name__)

_REMOTE_PROCESSES = 8  # at most this many processes encode if the launcher uses other machines
_MEMORY = 2 * 1024**3  # bytes; jobs with large data need more, and may be given fewer processes
_THREADS = "OMP_NUM_THREADS"
_POLL = 0.5  # seconds between two looks at jobs that still run after their launcher has ended


def settle_processes(config: DictConfig, jobs: int) -> int:
    """Return how many jobs run on this machine at the same time; by default, set it to as many as the machine can run.

    That is one job per core, because single threads lose no time to each other, or one per ``threads`` cores, or one
    per GPU. The number does not depend on how many jobs are finished: a sweep that was stopped continues with the same
    number of threads, and therefore to the same bits.

    Args:
        config: The configuration of the sweep, with the node ``hydra``; ``hydra.launcher.n_jobs=-1`` is replaced.
        jobs: The number of jobs in the sweep.
    """
    if _kind(config) == "JoblibLauncher" and config.hydra.launcher.n_jobs == -1:
        threads = config.threads or (default_threads() if _THREADS in os.environ else 1)
        places = min(usable_cores() // threads, usable_memory() // _MEMORY)
        if config.device != "cpu" and torch.cuda.is_available():
            places = min(places, torch.cuda.device_count() if config.device == "auto" else 1)
        with read_write(config), open_dict(config):
            config.hydra.launcher.n_jobs = max(1, min(int(places), jobs))
    return local_processes(config)


def local_processes(config: DictConfig) -> int:
    """Return how many jobs the launcher of a sweep runs on this machine at the same time.

    ``submitit_local`` starts all jobs that it receives at the same time. Therefore it receives only
    ``hydra.sweeper.max_batch_size`` jobs at a time, by default one per processor.
    """
    kind = _kind(config)
    if kind == "JoblibLauncher":
        jobs = config.hydra.launcher.n_jobs or 1
        return int(jobs) if jobs > 0 else max(1, usable_cores() + 1 + int(jobs))
    if kind == "LocalLauncher":
        return config.hydra.sweeper.max_batch_size or usable_cores()
    return 1


def encoding_processes(config: DictConfig, jobs: int) -> int:
    """Return how many of the launcher's processes share the encoding: as many as run jobs at the same time.

    Args:
        config: The configuration of the sweep, with the node ``hydra``.
        jobs: The number of jobs in the sweep.
    """
    is_remote = _kind(config) in ("SlurmLauncher", "RayLauncher")
    return min(jobs, _REMOTE_PROCESSES) if is_remote else local_processes(config)


@contextmanager
def _processors_divided(config: DictConfig) -> Iterator[None]:
    """Divide the cores among parallel jobs: processes that start in this block use their part of the threads.

    The number is left alone if the user has set it, by ``threads=N`` or OpenMP's own variable.
    """
    jobs = local_processes(config)
    if jobs == 1 or _THREADS in os.environ:
        yield
        return
    os.environ[_THREADS] = str(max(1, usable_cores() // jobs))
    try:
        yield
    finally:
        del os.environ[_THREADS]


def _kind(config: DictConfig) -> str:
    """Return the class name of the launcher."""
    return str(config.hydra.launcher._target_).rpartition(".")[2]


def launch_jobs(jobs: Sequence[Job], config: DictConfig, folder: SweepFolder) -> str:
    """Run jobs with the launcher that ``hydra/launcher`` names; each writes its outcome to the sweep's folder.

    When one process of a pool dies, the whole pool ends. The jobs that have not begun are then launched again, as long
    as that starts at least one more of them. At the end, each job that was running when a pool ended is launched by
    itself, so that a job that always dies takes no other one with it.

    Args:
        jobs: The jobs to run.
        config: The configuration of the sweep, with the node ``hydra``.
        folder: The folder of the sweep.

    Returns:
        Why the launcher ended before its jobs did; empty if it did not.
    """
    processes = local_processes(config)
    size = processes if _kind(config) == "LocalLauncher" else config.hydra.sweeper.max_batch_size or max(1, len(jobs))
    context = HydraContext(config_loader=GlobalHydra.instance().config_loader(), callbacks=Callbacks(config))
    common = frozenset(jobs[0].overrides).difference(jobs[0].own) if jobs else frozenset[str]()
    run_job = partial(run_sweep_job, launcher_pid=os.getpid(), common=common)
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=run_job, config=config)
    error, waiting = "", list(jobs)
    with ExitStack() as block:
        block.enter_context(_processors_divided(config))
        block.enter_context(listening(folder.stop_file))
        if _kind(config) == "JoblibLauncher" and processes > 1:
            block.enter_context(children_deaf())
            block.enter_context(pool_that_ends_with_this_process())
        while waiting:
            for start in range(0, len(waiting), size):
                error = _launch(launcher, waiting[start : start + size], folder) or error
            left = [job for job in waiting if folder.read_state(job.overrides) is None]
            waiting = left if processes > 1 and 0 < len(left) < len(waiting) and not folder.stopped else []
        for job in jobs if processes > 1 else ():
            state = folder.read_state(job.overrides)
            if not folder.stopped and (state is None or state.outcome.status == "running"):
                log.warning("%s: launched again by itself, because its process died or the pool ended", job)
                error = _launch(launcher, [job], folder) or error
    return error


@contextmanager
def pool_that_ends_with_this_process() -> Iterator[None]:
    """In this block, each process of joblib's pool calls ``stop_without`` when it starts.

    A launcher that is killed while it sends a job leaves half of it in the pipe; its reader would wait forever.
    """
    from joblib import register_parallel_backend
    from joblib.parallel import LokyBackend

    register_parallel_backend("loky", partial(LokyBackend, initializer=stop_without, initargs=(os.getpid(),)))
    try:
        yield
    finally:
        register_parallel_backend("loky", LokyBackend)


def _launch(launcher: Launcher, jobs: Sequence[Job], folder: SweepFolder) -> str:
    """Let the launcher run some jobs unless the sweep was stopped; return why it ended early, if it did."""
    if folder.stopped:
        return ""
    error = ""
    try:
        launcher.launch([job.overrides for job in jobs], initial_job_idx=0)
    except KeyboardInterrupt:
        error = "the sweep was stopped"
        folder.stop()
    except Exception as reason:  # a launcher raises whatever its library does; the outcomes of jobs are on disk
        error = f"{type(reason).__name__}: {' '.join(str(reason).split())[:300]}"
        log.warning("the launcher ended early: %s", error)
    while any(state.is_alive for job in jobs if (state := folder.read_state(job.overrides)) is not None):
        time.sleep(_POLL)  # processes of submitit continue after the launcher has raised the error of one of them
    return error
