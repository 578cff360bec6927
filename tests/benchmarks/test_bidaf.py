"""Compare a training step of both heads of SQuAD at the sizes of the references with its matrix products alone.

The times are those of the processor, so run it on one thread: OMP_NUM_THREADS=1.

Run with: pytest tests/benchmarks/test_bidaf.py --benchmark-only -s
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from harness.nn.masking import mask_of_lengths
from harness.types import Batch, TokenVectors
from tasks.squad.bidaf import Bidaf
from tasks.squad.bidaf_self_attention import BidafSelfAttention
from tasks.squad.span_head import SpanHead
from tasks.squad.token_embedding import TokenEmbedding
from tests.benchmarks.products import Product, products_alone

BATCH, PASSAGE, QUESTION, INPUT, HIDDEN = 40, 150, 12, 1224, 100
CELLS = 90  # of each GRU of ``bidaf_self_attention``


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


def products_with_self_attention() -> list[Product]:
    """Return the products of a forward pass of ``bidaf_self_attention``."""
    tokens, words, width = BATCH * PASSAGE, BATCH * (PASSAGE + QUESTION), 2 * CELLS
    steps = 2 * (QUESTION + 4 * PASSAGE)  # both directions
    inputs = [(words, INPUT), (tokens, width), (tokens, width), (tokens, 2 * width)]  # encoder, reader, start, end
    return [
        *((2, rows, inner, 3 * CELLS) for rows, inner in inputs),
        (steps, BATCH, CELLS, 3 * CELLS),
        (1, tokens, 4 * width, width),  # after both attentions
        (1, tokens, 3 * width, width),
        (2 * BATCH, PASSAGE, width, QUESTION),  # the similarity and the attended vectors
        (2 * BATCH, PASSAGE, width, PASSAGE),
    ]


def networks() -> dict[str, tuple[nn.Module, list[Product]]]:
    """Return both networks with their products."""
    words = TokenEmbedding(input_dim=INPUT)
    layers = {"modelling_layers": 2, "highway_layers": 2}
    bidaf = Bidaf(words=words, output_dim=0, dropout=0.2, hidden_dim=HIDDEN, **layers)
    with_self_attention = BidafSelfAttention(words=words, output_dim=0, dropout=0.2, hidden_dim=CELLS)
    return {
        "bidaf": (bidaf, products()),
        "bidaf_self_attention": (with_self_attention, products_with_self_attention()),
    }


def step(network: nn.Module) -> Callable[[], None]:
    """Return a function that runs a forward and a backward pass."""
    head = SpanHead(network=network, max_answer_tokens=None)
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


@pytest.mark.benchmark(group="a step of a head of SQuAD", timer=time.process_time)
@pytest.mark.parametrize("name", ["bidaf", "bidaf_self_attention"])
def test_step(name: str, benchmark) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    network, sizes = networks()[name]
    one, alone = step(network), products_alone(sizes)
    benchmark.pedantic(one, rounds=3, warmup_rounds=1)
    times = []
    for _ in range(3):
        start = time.process_time()
        alone()
        times.append(time.process_time() - start)
    ratio = benchmark.stats.stats.median / float(np.median(times))
    benchmark.extra_info |= {"ratio_to_products": ratio}
    print(f"\n{benchmark.stats.stats.median:.2f} s per step, {ratio:.2f} times its matrix products")
