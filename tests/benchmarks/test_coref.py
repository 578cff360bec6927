"""Compare a training step of the span ranker at the sizes of the reference with its matrix products alone.

Run with: pytest tests/benchmarks/test_coref.py --benchmark-only -s
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from harness.config.schema import DataConfig
from harness.types import Document, Example, TokenVectors
from tasks.coref.documents import TEXT, coref_target
from tasks.coref.span_ranker import SpanRankerOptions
from tasks.coref.task import Coreference
from tests.benchmarks.products import Product, products_alone

SENTENCES, WORDS, INPUT = 50, 25, 1324  # ELMo and GloVe
SIZES = SpanRankerOptions(hidden_dim=200, ffnn_dim=150, max_antecedents=250)


def products() -> list[Product]:
    """Return the products of a forward pass."""
    tokens, hidden, dim, width = SENTENCES * WORDS, SIZES.hidden_dim, SIZES.ffnn_dim, SIZES.max_width
    spans = SENTENCES * sum(min(width, WORDS - place) for place in range(WORDS))
    kept = int(SIZES.mentions_per_word * tokens)
    pairs = sum(min(i, SIZES.max_antecedents) for i in range(kept))
    vector, features = 4 * hidden + INPUT + SIZES.feature_dim, 3 * SIZES.feature_dim
    return [
        (1, tokens, INPUT, 6 * hidden),  # the LSTM
        (2 * WORDS, SENTENCES, hidden, 3 * hidden),
        (2, tokens, 2 * hidden, dim),  # all spans
        (1, tokens, INPUT, dim),
        (tokens, width, width, dim),
        (1, spans, SIZES.feature_dim, dim),
        (1, spans, dim, dim),
        (kept, 1, width, INPUT),  # the kept ones
        (2, kept, vector, dim),
        (1, pairs, vector, dim),  # all pairs
        (1, pairs, features, dim),
        (1, pairs, dim, dim),
    ]


def step() -> Callable[[], None]:
    """Return a function that runs a forward and a backward pass on one document."""
    task = Coreference(data=DataConfig(), span_ranker=SIZES)
    document = Document([tuple(f"w{place}" for place in range(WORDS))] * SENTENCES)
    clusters = [[(start, start + 1) for start in range(first, len(document) - 1, 90)] for first in range(0, 90, 6)]
    batch = task.collate([Example(id="one", texts={TEXT: document}, target=coref_target(clusters))])
    head = task.build_head(input_dim=INPUT, output_dim=0)
    # The input needs a gradient too, because the layer mix below it is trained.
    vectors = {TEXT: TokenVectors(input=torch.randn(1, len(document), INPUT, requires_grad=True))}

    def one() -> None:
        head.zero_grad()
        head.loss(vectors, batch).backward()

    return one


@pytest.mark.benchmark(group="a step of the span ranker")
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
