"""The order in which a recurrent layer visits tokens of rows of different lengths: step by step, without padding."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TimeMajor:
    """Visits of all tokens: those of the first step, then those of the second.

    Attributes:
        batch_sizes: int64 (steps,): rows that have a token at each step.
        time: int64 (positions,): step of each visit.
        orders: per direction, int64 (positions,): token visited.
    """

    batch_sizes: Tensor
    time: Tensor
    orders: tuple[Tensor, Tensor]


def time_major(starts: Tensor, sizes: Tensor) -> TimeMajor:
    """Return the visits of rows.

    Args:
        starts: int64 (rows,): first token of each row.
        sizes: int64 (rows,): tokens of each row; they must not increase, and the first must not be 0.
    """
    steps = torch.arange(int(sizes[0]))  # (steps,)
    batch_sizes = (sizes[None, :] > steps[:, None]).sum(dim=1)  # (steps,)
    time = steps.repeat_interleave(batch_sizes)  # (positions,)
    first = torch.cumsum(batch_sizes, 0) - batch_sizes  # (steps,)
    row = torch.arange(len(time)) - first.repeat_interleave(batch_sizes)  # (positions,)
    forward, backward = starts[row] + time, starts[row] + sizes[row] - 1 - time  # (positions,)
    return TimeMajor(batch_sizes, time, (forward, backward))
