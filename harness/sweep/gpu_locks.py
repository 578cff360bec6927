"""Give each of the jobs that run at the same time a GPU of its own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf


@contextmanager
def reserve_gpu(config: DictConfig) -> Iterator[DictConfig]:
    """Yield the configuration of a job with a GPU that no other job on this machine uses, reserved until the job ends.

    The configuration is unchanged unless ``device=auto`` and the machine has several GPUs. If all of them are
    reserved, the job shares the first one.
    """
    count = torch.cuda.device_count()
    if count < 2 or OmegaConf.select(config, "device") != "auto":
        yield config
        return
    locks = [FileLock(Path(tempfile.gettempdir()) / f"elmo-harness-gpu-{number}.lock") for number in range(count)]
    number = next((number for number, lock in enumerate(locks) if _acquired(lock)), 0)
    config = config.copy()
    config.device = f"cuda:{number}"
    try:
        yield config
    finally:
        locks[number].release()  # does nothing if the job shares the GPU


def _acquired(lock: FileLock) -> bool:
    """Acquire a lock unless somebody holds it; return whether it is held now."""
    with suppress(Timeout):
        lock.acquire(timeout=0)
    return lock.is_locked
