"""Rows of similar length together, time-major, in the order in which either direction of an LSTM reads them.

The LSTM of oneDNN, which torch calls on a CPU, is twice as fast as one written in torch, but all its rows have one
length, and padding is computed too. So rows of similar length run together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_FEWEST = 24  # rows of a group: with fewer, products are slow
_SHORTEST = 0.75  # of the longest row of a group; shorter rows begin a new one


@dataclass(frozen=True)
class PaddedOrder:
    """Where the tokens of all rows are read.

    Attributes:
        token: Int64 (places,), the token that is read at each place of the groups; at padding, any token.
        place: Int64 (tokens,), the place at which each token is read.
    """

    token: Tensor
    place: Tensor


def padded_orders(lengths: Sequence[int]) -> tuple[tuple[PaddedOrder, PaddedOrder], list[tuple[int, int]]]:
    """Return the order of the forward and of the backward direction, and (steps, rows) of each group.

    Args:
        lengths: The number of tokens of each row, at least one of which is not 0. Tokens are counted row by row.
    """
    given = torch.tensor(lengths)  # (rows,)
    first = given.cumsum(0) - given  # (rows,)
    shapes, ahead, back, real = [], [], [], []
    for rows in _groups(lengths):
        own = given[rows]  # (group,)
        steps = torch.arange(lengths[rows[0]]).unsqueeze(1)  # (steps, 1)
        shapes.append((len(steps), len(rows)))
        real.append((steps < own).flatten())  # (places,)
        ahead.append((first[rows] + torch.minimum(steps, own - 1)).flatten())  # (places,)
        back.append((first[rows] + (own - 1 - steps).clamp(min=0)).flatten())  # (places,)
    places = torch.cat(real).nonzero().squeeze(1)  # (tokens,)
    orders = []
    for parts in (ahead, back):
        token = torch.cat(parts)  # (places,)
        place = torch.empty_like(places).index_copy_(0, token[places], places)  # (tokens,)
        orders.append(PaddedOrder(token, place))
    return (orders[0], orders[1]), shapes


def _groups(lengths: Sequence[int]) -> list[list[int]]:
    """Return the rows that have tokens, longest first, in groups of similar length."""
    groups: list[list[int]] = []
    for row in sorted((row for row, length in enumerate(lengths) if length), key=lambda row: -lengths[row]):
        if not groups or (len(groups[-1]) >= _FEWEST and lengths[row] < _SHORTEST * lengths[groups[-1][0]]):
            groups.append([])
        groups[-1].append(row)
    return groups


def to_padded(tokens: Tensor, order: PaddedOrder) -> Tensor:
    """Return the vectors at the places of all groups, (places, dim); no gradient flows through padding.

    Args:
        tokens: Float (tokens, dim).
        order: Where they are read.
    """
    padded: Tensor = _ToPadded.apply(tokens, order)
    return padded


def to_tokens(padded: Tensor, order: PaddedOrder) -> Tensor:
    """Return the vectors of the tokens again, (tokens, dim).

    Args:
        padded: Float (places, dim).
        order: Where the tokens were read.
    """
    return padded.index_select(0, order.place)


class _ToPadded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tokens: Tensor, order: PaddedOrder) -> Tensor:
        ctx.order = order
        return tokens.index_select(0, order.token)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.index_select(0, ctx.order.place), None
