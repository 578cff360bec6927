"""Compare a training step of BiDAF at the sizes of the reference with its matrix products alone, in the same run.

Run with: pytest tests/benchmarks/test_bidaf.py --benchmark-only -s
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from harness.nn.masking import mask_of_lengths
from harness.types import Batch, TokenVectors
from tasks.squad.bidaf import Bidaf
from tasks.squad.span_head import SpanHead
from tasks.squad.token_embedding import TokenEmbedding

BATCH, PASSAGE, QUESTION, INPUT, HIDDEN = 40, 150, 12, 1224, 100
Product = tuple[int, int, int, int]  # number of times, rows, inner, columns


def products() -> list[Product]:
    """Return the products of a forward pass: those over all tokens, and those of each step of a recurrent layer."""
    tokens, words, width = BATCH * PASSAGE, BATCH * (PASSAGE + QUESTION), 2 * HIDDEN
    inputs = [(words, INPUT), (tokens, 4 * width), (tokens, width), (tokens, 7 * width)]  # phrase, modelling, end
    steps = 2 * (QUESTION + 4 * PASSAGE)  # both directions
    return [
        (2, words, INPUT, 2 * INPUT),  # highway
        *((2, rows, inner, 4 * HIDDEN) for rows, inner in inputs),
        (steps, BATCH, HIDDEN, 4 * HIDDEN),
        (2 * BATCH, PASSAGE, width, QUESTION),  # the similarity and the attended vectors
    ]


def products_alone(sizes: list[Product]) -> Callable[[], None]:
    """Return a function that computes each product, and the two products that its gradients need."""
    operands = [
        (times, torch.randn(rows, inner), torch.randn(inner, columns), torch.randn(rows, columns))
        for times, rows, inner, columns in sizes
    ]

    def compute() -> None:
        for times, left, right, grad in operands:
            for _ in range(times):
                left @ right
                grad @ right.T
                left.T @ grad

    return compute


def step() -> Callable[[], None]:
    """Return a function that runs a forward and a backward pass."""
    words = TokenEmbedding(input_dim=INPUT)
    sizes = {"hidden_dim": HIDDEN, "modelling_layers": 2, "highway_layers": 2}
    head = SpanHead(network=Bidaf(words=words, output_dim=0, **sizes, dropout=0.2), max_answer_tokens=None)
    generator = torch.Generator().manual_seed(0)
    masks, vectors = {}, {}
    for text, longest in (("passage", PASSAGE), ("question", QUESTION)):
        lengths = torch.randint(longest * 9 // 10, longest + 1, (BATCH,), generator=generator)
        lengths[0] = longest
        masks[text] = mask_of_lengths(lengths)  # (batch, tokens)
        # The input needs a gradient too, because the layer mix below it is trained.
        vectors[text] = TokenVectors(input=torch.randn(BATCH, longest, INPUT, requires_grad=True))
    batch = Batch(examples=(), masks=masks, gold={"span": torch.ones(BATCH, 2, dtype=torch.int64)})

    def one() -> None:
        head.zero_grad()
        head.loss(vectors, batch).backward()

    return one


@pytest.mark.benchmark(group="a step of BiDAF")
def test_step(benchmark) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    one, alone = step(), products_alone(products())
    benchmark.pedantic(one, rounds=5, warmup_rounds=1)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        alone()
        times.append(time.perf_counter() - start)
    ratio = benchmark.stats.stats.median / float(np.median(times))
    benchmark.extra_info |= {"ratio_to_products": ratio}
    print(f"\n{benchmark.stats.stats.median:.2f} s per step, {ratio:.2f} times its matrix products")
