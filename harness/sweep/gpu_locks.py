"""One GPU for each of the jobs that run at the same time."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf


@contextmanager
def own_device(config: DictConfig) -> Iterator[DictConfig]:
    """Yield the config with a GPU that no other job of this machine holds, where there are several to choose from.

    Only ``device=auto`` chooses. With more jobs than GPUs, the jobs left over share the first.
    """
    count = _gpus() if OmegaConf.select(config, "device") == "auto" else 0
    if count < 2:
        yield config
        return
    for number in range(count):
        lock = FileLock(Path(tempfile.gettempdir()) / f"elmo-harness-gpu-{number}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        try:
            yield _on(config, number)
        finally:
            lock.release()
        return
    yield _on(config, 0)


def _on(config: DictConfig, number: int) -> DictConfig:
    chosen = config.copy()
    chosen.device = f"cuda:{number}"
    return chosen


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
