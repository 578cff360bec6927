"""Batches: every example once, like lengths together, the order a matter of the seed alone."""

import random

import torch

from harness.batching import bucketed, by_length, padding_waste

RNG = random.Random(3)
LENGTHS = [RNG.randrange(1, 60) for _ in range(1000)]


def batches(seed: int, **changes: int) -> list[list[int]]:
    options = {"batch_size": 32, "max_tokens": 10_000} | changes
    return bucketed(LENGTHS, generator=torch.Generator().manual_seed(seed), **options)


def test_every_example_comes_once() -> None:
    assert sorted(i for batch in batches(0) for i in batch) == list(range(1000))
    assert max(map(len, batches(0))) == 32


def test_the_seed_determines_the_order() -> None:
    assert batches(0) == batches(0)
    assert batches(0) != batches(1)


def test_little_is_wasted_on_padding() -> None:
    unsorted = [list(range(i, i + 32)) for i in range(0, 960, 32)]
    assert padding_waste(LENGTHS, unsorted) > 0.4
    assert padding_waste(LENGTHS, batches(0)) < 0.1


def test_a_batch_is_bounded_in_tokens() -> None:
    for batch in batches(0, max_tokens=200):
        assert len(batch) == 1 or len(batch) * max(LENGTHS[i] for i in batch) <= 200
    assert by_length([5000, 3, 3], batch_size=64, max_tokens=100) == [[1, 2], [0]]


def test_batches_do_not_come_sorted() -> None:
    longest = [max(LENGTHS[i] for i in batch) for batch in batches(0)]
    assert longest != sorted(longest)
