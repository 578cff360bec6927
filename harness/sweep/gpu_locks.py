"""Give each of the jobs that run at the same time a GPU of its own, or share the GPUs equally if there are too few."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from harness.config.compose import user_cache
from harness.utils.locks import ProcessLock


@contextmanager
def reserve_gpu(config: DictConfig) -> Iterator[DictConfig]:
    """Yield the configuration of a job with a GPU that the fewest jobs of this user use, reserved until the job ends.

    The configuration is unchanged unless ``device=auto`` and the process sees several GPUs. A lock is named by the
    GPU's UUID, because ``CUDA_VISIBLE_DEVICES`` may number the same GPUs differently in another process.

    Raises:
        OSError: The locks cannot be written.
    """
    gpus = torch.cuda.device_count()
    if gpus < 2 or OmegaConf.select(config, "device") != "auto":
        yield config
        return
    folder = Path(user_cache()) / "gpus"
    uuids = [torch.cuda.get_device_properties(gpu).uuid for gpu in range(gpus)]
    # The first job on each GPU holds its lock 0, the second one its lock 1, and so on.
    places = ((gpu, ProcessLock(folder / f"{uuids[gpu]}.{level}.lock")) for level in count() for gpu in range(gpus))
    gpu, lock = next((gpu, lock) for gpu, lock in places if lock.take())
    config = config.copy()
    config.device = f"cuda:{gpu}"
    try:
        yield config
    finally:
        lock.release()
