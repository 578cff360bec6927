"""Batches contain every example once and group similar lengths; their order depends on the seed alone."""

import random

import torch

from harness.training.batching import bucketed, by_length
from tests.support.padding import padding_waste

RNG = random.Random(3)
LENGTHS = [(RNG.randrange(1, 60),) for _ in range(1000)]
PAIRS = [(RNG.randrange(2, 12), RNG.randrange(5, 30)) for _ in range(8000)]


def batches(seed: int, **changes: int) -> list[list[int]]:
    options = {"batch_size": 32, "max_tokens": 10_000} | changes
    return bucketed(LENGTHS, generator=torch.Generator().manual_seed(seed), **options)


def test_every_example_is_in_one_batch() -> None:
    assert sorted(i for batch in batches(0) for i in batch) == list(range(1000))
    assert max(map(len, batches(0))) == 32


def test_the_seed_determines_the_order() -> None:
    assert batches(0) == batches(0)
    assert batches(0) != batches(1)


def test_little_is_wasted_on_padding() -> None:
    unsorted = [list(range(i, i + 32)) for i in range(0, 960, 32)]
    assert padding_waste(LENGTHS, unsorted) > 0.4
    assert padding_waste(LENGTHS, batches(0)) < 0.1


def test_the_tokens_of_a_batch_are_bounded() -> None:
    for batch in batches(0, max_tokens=200):
        assert len(batch) == 1 or len(batch) * max(LENGTHS[i] for i in batch)[0] <= 200
    assert by_length([(5000,), (3,), (3,)], batch_size=64, max_tokens=100) == [[1, 2], [0]]


def test_batches_are_not_sorted_by_length() -> None:
    longest = [max(LENGTHS[i] for i in batch)[0] for batch in batches(0)]
    assert longest != sorted(longest)


def test_every_text_of_a_batch_has_a_similar_length() -> None:
    """Sorting by the longer text alone would leave the shorter texts in random order, with much padding."""
    cut = bucketed(PAIRS, batch_size=32, max_tokens=10_000, generator=torch.Generator().manual_seed(0))
    assert sorted(i for batch in cut for i in batch) == list(range(8000))
    longer = sorted(range(8000), key=lambda i: PAIRS[i][1])
    assert padding_waste(PAIRS, [longer[i : i + 32] for i in range(0, 8000, 32)]) > 0.15
    assert padding_waste(PAIRS, cut) < 0.08


def test_the_order_of_the_texts_does_not_matter() -> None:
    swapped = [(b, a) for a, b in PAIRS]
    assert by_length(PAIRS, batch_size=32, max_tokens=10_000) == by_length(swapped, batch_size=32, max_tokens=10_000)


def test_waste_counts_every_text() -> None:
    assert padding_waste([(1, 4), (3, 4)], [[0, 1]]) == 1 - 12 / 14


def test_the_tokens_of_all_texts_together_are_bounded() -> None:
    for batch in by_length(PAIRS, batch_size=64, max_tokens=300):
        widths = [max(PAIRS[i][text] for i in batch) for text in (0, 1)]
        assert len(batch) == 1 or len(batch) * sum(widths) <= 300


def test_no_examples_give_no_batch() -> None:
    assert bucketed([], batch_size=32, max_tokens=100, generator=torch.Generator()) == []
