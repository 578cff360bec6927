"""Rows of different lengths without padding, and the order in which a recurrent layer visits their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Rows laid end to end without padding, and the order in which a bidirectional LSTM visits their tokens.

    The LSTM takes one step for all rows that have a token left, longer rows first, then the next step, and so on.

    Attributes:
        starts: Position of the first token of each row.
        batch_sizes: Number of rows that have a token at each step.
        orders: For the forward and the backward direction, int64 (positions,): the position of each visit.
    """

    starts: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    orders: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, lengths: Tensor | Sequence[int]) -> "Packing":
        """Return the packing of rows with the given lengths, (rows,), at least one of which is not 0."""
        given = torch.as_tensor(lengths)  # (rows,)
        starts = given.cumsum(0) - given  # (rows,)
        sizes, rows = given.sort(descending=True, stable=True)  # (rows,)
        steps = torch.arange(int(sizes[0]))  # (steps,)
        counts = (sizes[None, :] > steps[:, None]).sum(dim=1)  # (steps,)
        step = steps.repeat_interleave(counts)  # (positions,)
        row = torch.arange(len(step)) - (counts.cumsum(0) - counts).repeat_interleave(counts)  # (positions,)
        first = starts[rows[row]]  # (positions,)
        orders = first + step, first + sizes[row] - 1 - step  # (positions,) each
        return cls(tuple(starts.tolist()), tuple(counts.tolist()), orders)
