"""Which examples go into one batch: of like length, in an order that a seed determines."""

from collections.abc import Callable, Iterable, Sequence

import torch

from harness.types import Example

Lengths = tuple[int, ...]  # of each text of an example, in the order of its fields

_WINDOW = 50  # batches' worth of examples of one text that are sorted together, at least
_FEWEST = 20  # windows that are enough for chance: those of a large set are wider, and waste less


def bucketed(
    lengths: Sequence[Lengths], *, batch_size: int, max_tokens: int, generator: torch.Generator
) -> list[list[int]]:
    """Shuffle, sort by length within windows, cut into batches, shuffle the batches.

    The windows of examples of several texts are wider, since more has to be alike in them.

    Args:
        lengths: of each example.
        batch_size: examples a batch, at most.
        max_tokens: tokens a batch, of all texts, padding included, at most (one longer example still makes a batch).
        generator: source of all randomness.

    Returns:
        batches of indices; every index once.
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
    """Sort (ties in the given order) and cut into batches, shortest first.

    Args:
        lengths: of each example.
        batch_size, max_tokens: as in ``bucketed``.
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
    """Return what examples are sorted by: the text with the most tokens in all first, then the next.

    Among examples alike in one text, the next goes up and down by turns, so that neighbours are always alike.
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
    """Return the lengths that padding follows."""
    return tuple(map(len, example.texts.values()))


def padding_waste(lengths: Sequence[Lengths], batches: Sequence[Sequence[int]]) -> float:
    """Return the fraction of padded positions among all positions of the batches, over all texts."""
    padded = sum(len(batch) * sum(map(max, zip(*(lengths[i] for i in batch), strict=True))) for batch in batches)
    return 1 - sum(sum(lengths[i]) for batch in batches for i in batch) / padded if padded else 0.0
