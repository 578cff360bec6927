"""Two pieces of work that need nothing of each other, each on half of torch's threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Done = TypeVar("Done")


def both(work: Callable[[int], Done]) -> tuple[Done, Done]:
    """Return ``work(0)`` and ``work(1)``, without gradient.

    Two matrix products of one thread each take less time than one product of two threads after the other. How many
    threads torch uses is set for each thread apart, and a new thread begins with the last number set anywhere.
    """
    threads, inference = torch.get_num_threads(), torch.is_inference_mode_enabled()
    if threads == 1:
        return work(0), work(1)

    def elsewhere() -> Done:
        with torch.inference_mode(inference), torch.no_grad():  # in this order: the former alone sets gradients too
            return work(1)

    torch.set_num_threads(threads // 2)
    try:
        with ThreadPoolExecutor(max_workers=1) as executor:
            other = executor.submit(elsewhere)
            return work(0), other.result()
    finally:
        torch.set_num_threads(threads)
