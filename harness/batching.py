"""Which examples go into one batch: of like length, in an order that a seed determines."""

from collections.abc import Sequence

import torch

from harness.types import Example

_WINDOW = 50  # batches' worth of examples that are sorted together


def bucketed(
    lengths: Sequence[int], *, batch_size: int, max_tokens: int, generator: torch.Generator
) -> list[list[int]]:
    """Shuffle, sort by length within windows, cut into batches, shuffle the batches.

    Args:
        lengths: of each example.
        batch_size: examples a batch, at most.
        max_tokens: tokens a batch, padding included, at most (one longer example still makes a batch).
        generator: source of all randomness.

    Returns:
        batches of indices; every index once.
    """
    order = torch.randperm(len(lengths), generator=generator).tolist()
    window = batch_size * _WINDOW
    batches = [
        batch
        for start in range(0, len(order), window)
        for batch in by_length(
            lengths, batch_size=batch_size, max_tokens=max_tokens, order=order[start : start + window]
        )
    ]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def by_length(
    lengths: Sequence[int], *, batch_size: int, max_tokens: int, order: Sequence[int] | None = None
) -> list[list[int]]:
    """Sort (ties in the given order) and cut into batches, shortest first.

    Args:
        lengths: of each example.
        batch_size, max_tokens: as in ``bucketed``.
        order: the indices to use, all of them by default.
    """
    batches: list[list[int]] = []
    indices = range(len(lengths)) if order is None else order
    for i in sorted(indices, key=lambda i: lengths[i]):
        if not batches or len(batches[-1]) == batch_size or (len(batches[-1]) + 1) * lengths[i] > max_tokens:
            batches.append([])
        batches[-1].append(i)
    return batches


def example_length(example: Example) -> int:
    """Return the length that padding follows: of an example's longest text."""
    return max(map(len, example.texts.values()))


def padding_waste(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Return the fraction of padded positions among all positions of the batches."""
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    return 1 - sum(lengths[i] for batch in batches for i in batch) / padded if padded else 0.0
