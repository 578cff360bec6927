"""How torch computes in this process: its threads and, on a GPU, its precision and the order of its sums."""

import os

import torch

from harness.config.schema import HarnessConfig
from harness.utils.devices import device_of, usable_cores
from harness.utils.memory import keep_freed_memory

_TORCH_THREADS = torch.get_num_threads()  # torch's own choice, or that of OMP_NUM_THREADS


def set_up_torch(config: HarnessConfig) -> None:
    """Set torch's threads, let it keep its memory, and make it compute exactly and repeatably.

    Raises:
        ConfigError: There is no such device.
    """
    torch.set_num_threads(config.threads or default_threads())
    keep_freed_memory()
    make_repeatable(device_of(config.device))


def make_repeatable(device: str) -> None:
    """On a GPU, make torch multiply in full float32 and sum in the same order every time.

    By default, cuDNN rounds the factors of a product to TF32 (10 bits), and some sums on a GPU depend on which block
    finishes first. Torch warns once about each operator that has no deterministic version.
    """
    on_gpu = device != "cpu"
    if on_gpu:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is only deterministic with this
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        # Torch would also fill new memory, in order to expose bugs; that writes all memory twice.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if on_gpu != torch.are_deterministic_algorithms_enabled():  # the call below imports torch's compiler: 1 to 2 s
        torch.use_deterministic_algorithms(on_gpu, warn_only=True)


def default_threads() -> int:
    """Return the number of threads for ``threads=null``: torch's choice, but not more than the cores it may use."""
    return min(_TORCH_THREADS, usable_cores())
