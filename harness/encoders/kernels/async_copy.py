"""What goes to a GPU and comes from it, while the GPU computes something else. On a CPU nothing is copied."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")


def device_copy(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the host on a device; the host does not wait for what the device is at."""
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def host_copy(tensor: Tensor) -> Callable[[], Tensor]:
    """Begin to copy a tensor to the host's memory; return what waits for the copy and returns it."""
    if not tensor.is_cuda:
        return lambda: tensor
    copying = torch.cuda.Stream(tensor.device)
    copying.wait_stream(torch.cuda.current_stream(tensor.device))
    with torch.cuda.stream(copying):
        copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
    tensor.record_stream(copying)  # its memory is not used anew before the copy is made

    def arrived() -> Tensor:
        copying.synchronize()
        return copy

    return arrived


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, each once the next one has been begun."""
    waiting: list[Item] = []
    for item in items:
        yield from waiting
        waiting = [item]
    yield from waiting
