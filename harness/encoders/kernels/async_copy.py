"""Copies to and from a GPU that run while it computes: each batch of layers has up to 200 MB. A CPU copies nothing."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")


def device_copy(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a copy on a device, without waiting until the device has finished its current work.

    Args:
        tensor: A tensor in the memory of the host.
        device: Where to copy it; for the CPU, ``tensor`` itself is returned.
    """
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def host_copy(tensor: Tensor) -> Callable[[], Tensor]:
    """Start to copy a tensor to the memory of the host; return a function that waits for the copy and returns it."""
    if not tensor.is_cuda:
        return lambda: tensor
    copying = torch.cuda.Stream(tensor.device)
    copying.wait_stream(torch.cuda.current_stream(tensor.device))
    with torch.cuda.stream(copying):
        copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
    tensor.record_stream(copying)  # its memory is not reused before the copy is complete

    def wait() -> Tensor:
        copying.synchronize()
        return copy

    return wait


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, each one after the next one has been started."""
    waiting: list[Item] = []
    for item in items:
        yield from waiting
        waiting = [item]
    yield from waiting
