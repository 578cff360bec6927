"""How torch computes in this process: its threads, and on a GPU its precision and the order of its sums."""

import os

import torch

from harness.config.schema import HarnessConfig
from harness.utils.devices import device_of

_DEFAULT_THREADS = torch.get_num_threads()


def set_up_torch(config: HarnessConfig) -> None:
    """Use as many threads as the config says; on a GPU multiply float32 as float32, and sum alike every time.

    By default cuDNN rounds what it multiplies to TF32 (10 bits), and some sums on a GPU depend on which of its blocks
    comes first. Where torch has no other way it warns, once for each operator.

    Raises:
        ConfigError: there is no such device.
    """
    torch.set_num_threads(config.threads or _DEFAULT_THREADS)
    on_gpu = device_of(config.device) != "cpu"
    if on_gpu:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS's sums are not alike either
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        # torch's own help against bugs writes all memory twice.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(on_gpu, warn_only=True)
