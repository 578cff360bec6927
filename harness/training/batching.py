"""Which examples form a batch: those of similar length, in an order that a seed determines."""

from collections.abc import Callable, Iterable, Sequence

import torch

from harness.types import Example

Lengths = tuple[int, ...]  # of each text of an example, in the order of its fields

_WINDOW = 50  # batches per window, at least, for examples of one text
_FEWEST = 20  # windows of a large set: wider windows waste less padding, and 20 still leave enough to chance


def bucketed(
    lengths: Sequence[Lengths], *, batch_size: int, max_tokens: int, generator: torch.Generator
) -> list[list[int]]:
    """Shuffle, sort by length within windows, cut into batches, and shuffle the batches.

    The windows are wider if an example has several texts, because more lengths have to be similar.

    Args:
        lengths: The lengths of the texts of each example.
        batch_size: The largest number of examples in a batch.
        max_tokens: The largest number of tokens in a batch, with padding; one longer example still forms a batch.
        generator: The source of all randomness.

    Returns:
        Batches of indices into ``lengths``; every index occurs once.
    """
    order = torch.randperm(len(lengths), generator=generator).tolist()
    texts = len(lengths[0]) if lengths else 1
    window = max(batch_size * _WINDOW * texts**2, len(lengths) // _FEWEST)
    rank = _rank(lengths)
    batches = [
        batch
        for start in range(0, len(order), window)
        for batch in _cut(sorted(order[start : start + window], key=rank), lengths, batch_size, max_tokens)
    ]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def by_length(lengths: Sequence[Lengths], *, batch_size: int, max_tokens: int) -> list[list[int]]:
    """Sort by length and cut into batches, shortest first; equal lengths stay in the given order.

    Args:
        lengths: The lengths of the texts of each example.
        batch_size: The largest number of examples in a batch.
        max_tokens: The largest number of tokens in a batch, as for ``bucketed``.
    """
    return _cut(sorted(range(len(lengths)), key=_rank(lengths)), lengths, batch_size, max_tokens)


def _cut(indices: Iterable[int], lengths: Sequence[Lengths], batch_size: int, max_tokens: int) -> list[list[int]]:
    """Cut sorted indices into batches."""
    batches: list[list[int]] = []
    longest: Lengths = ()  # of each text of the last batch
    for i in indices:
        widened = tuple(map(max, longest, lengths[i])) if batches else lengths[i]
        if not batches or len(batches[-1]) == batch_size or (len(batches[-1]) + 1) * sum(widened) > max_tokens:
            batches.append([])
            widened = lengths[i]
        batches[-1].append(i)
        longest = widened
    return batches


def _rank(lengths: Sequence[Lengths]) -> Callable[[int], Lengths]:
    """Return the sort key of an example: its lengths, those of the text with the most tokens in total first.

    The order of the next text alternates, so that neighbours are similar where the length of the first text changes.
    """
    totals = [sum(column) for column in zip(*lengths, strict=True)]
    texts = sorted(range(len(totals)), key=lambda text: -totals[text])

    def rank(i: int) -> Lengths:
        keys: list[int] = []
        sign = 1
        for text in texts:
            length = lengths[i][text]
            keys.append(sign * length)
            sign = 1 if length % 2 else -1
        return tuple(keys)

    return rank


def example_lengths(example: Example) -> Lengths:
    """Return the length of each text of an example."""
    return tuple(map(len, example.texts.values()))
