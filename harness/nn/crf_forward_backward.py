"""The log partition of a linear chain and its gradient, by the forward-backward algorithm in probabilities.

Sums of products instead of logarithms of sums: a fraction of the work, and the gradient is written out instead of
being recorded step by step. It is exact as long as no probability leaves the range of the numbers, which
``fits_probabilities`` decides beforehand from the range of the scores.
"""

from typing import Any

import torch
from torch import Tensor

_WIDEST = 60.0  # exp(-60) is far above the smallest float32


@torch.no_grad()
def fits_probabilities(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> bool:
    """Whether ``log_partition_of`` is exact for these scores.

    Between two tags of one place, the summed probabilities of all paths differ at most by what the scores of one step
    differ by.

    Args:
        emissions: float (tokens, batch, tags), 0 at padding.
        transitions: float (tags, tags).
        start, end: float (tags,).
    """
    if emissions.numel() == 0:
        return False
    step = (emissions.amax(dim=2) - emissions.amin(dim=2)).max()  # ()
    moves = torch.stack([scores.max() - scores.min() for scores in (transitions, start, end)])  # (3,)
    return bool(step + moves.max() < _WIDEST)  # False also where a score is not a number


def log_partition_of(emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Return the logarithm of the summed exponentiated scores of all tag sequences; differentiable once.

    Args:
        emissions: float (tokens, batch, tags), 0 at padding.
        lengths: int64 (batch,), 0 or more.
        transitions: float (tags, tags), from and to.
        start, end: float (tags,), of the first and the last tag.

    Returns:
        float (batch,); 0 for an empty row.

    Source: Rabiner 1989, section V.A, for the scaling.
    """
    total: Tensor = _LogPartition.apply(emissions, lengths, transitions, start, end)
    return total


class _LogPartition(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor
    ) -> Tensor:
        tops = emissions.amax(dim=2, keepdim=True)  # (tokens, batch, 1)
        emitted = (emissions - tops).exp()  # (tokens, batch, tags)
        moved = (transitions - transitions.max()).exp()  # (tags, tags)
        ended = (end - end.max()).exp()  # (tags,)
        first = (start - start.max()).exp() * emitted[0]  # (batch, tags)
        scale = first.sum(dim=1, keepdim=True)  # (batch, 1)
        alpha = first / scale  # (batch, tags)
        alphas, scales = [alpha], [scale]
        for emission in emitted[1:].unbind(0):
            alpha = (alpha @ moved) * emission  # (batch, tags); past a row's end it runs on, unused
            scale = alpha.sum(dim=1, keepdim=True)  # (batch, 1)
            alpha = alpha / scale  # (batch, tags)
            alphas.append(alpha)
            scales.append(scale)
        alpha_all, scale_all = torch.stack(alphas), torch.stack(scales)  # (tokens, batch, tags), (tokens, batch, 1)
        inside = torch.arange(len(emissions), device=lengths.device).unsqueeze(1) < lengths  # (tokens, batch)
        last = alpha_all.gather(0, _of_each_row(lengths - 1, alpha_all)).squeeze(0)  # (batch, tags)
        ending = last @ ended  # (batch,)
        logs = (tops + scale_all.log()).squeeze(2)  # (tokens, batch)
        total = logs.masked_fill(~inside, 0.0).sum(dim=0) + ending.log()  # (batch,)
        total = total + (lengths - 1) * transitions.max() + start.max() + end.max()  # (batch,)
        ctx.save_for_backward(emitted, moved, ended, alpha_all, scale_all, inside, last, ending, lengths)
        return total.masked_fill(lengths == 0, 0.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        emitted, moved, ended, alphas, scales, inside, last, ending, lengths = ctx.saved_tensors
        weight = (gradients[0] / ending).masked_fill(lengths == 0, 0.0)  # (batch,)
        later = emitted / scales  # (tokens, batch, tags)
        beta = _backwards(later, moved, ended, lengths)  # (tokens, batch, tags)
        weighted = (beta * weight.unsqueeze(1)).masked_fill(~inside.unsqueeze(2), 0.0)  # (tokens, batch, tags)
        of_emissions = alphas * weighted  # (tokens, batch, tags): the marginals
        pairs = alphas[:-1].flatten(0, 1).t() @ (later[1:] * weighted[1:]).flatten(0, 1)  # (tags, tags)
        of_end = (last * weight.unsqueeze(1)).sum(dim=0) * ended  # (tags,)
        return of_emissions, None, pairs * moved, of_emissions[0].sum(dim=0), of_end


def _backwards(later: Tensor, moved: Tensor, ended: Tensor, lengths: Tensor) -> Tensor:
    """Return the scaled sums over all ways from each tag to the end, (tokens, batch, tags).

    Rows are turned round, so that all of them begin with their last token.
    """
    places = torch.arange(len(later), device=lengths.device).unsqueeze(1)  # (tokens, 1)
    turned = (lengths - 1 - places).clamp(min=0).unsqueeze(2).expand_as(later)  # (tokens, batch, tags)
    beta = ended.expand_as(later[0])  # (batch, tags)
    betas = [beta]
    for one in later.gather(0, turned)[:-1].unbind(0):
        beta = (beta * one) @ moved.t()  # (batch, tags)
        betas.append(beta)
    return torch.stack(betas).gather(0, turned)


def _of_each_row(places: Tensor, values: Tensor) -> Tensor:
    """Return the index (1, batch, tags) that gathers one place of each row of (tokens, batch, tags)."""
    return places.clamp(min=0).view(1, -1, 1).expand(1, *values.shape[1:])
