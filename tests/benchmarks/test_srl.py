"""Compare a training step of each SRL head at the sizes of the reference with its matrix products alone.

Run with: pytest tests/benchmarks/test_srl.py --benchmark-only -s
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from harness.config.schema import DataConfig
from harness.nn.masking import mask_of_lengths
from harness.types import Batch, TokenVectors
from tasks.common.heads.bilstm_options import BiLstmOptions
from tasks.common.tag_schemes import all_tags
from tasks.srl.task import DeepBiLstmOptions, SemanticRoleLabelling
from tests.benchmarks.products import Product, products_alone

BATCH, TOKENS, INPUT, INDICATOR, HIDDEN, LAYERS = 80, 25, 1124, 100, 300, 8
LABELS = all_tags([f"A{i}" for i in range(60)], "bio")


def products(head: str) -> list[Product]:
    """Return the products of a forward pass: those over all tokens, and those of each step of a recurrent layer."""
    words, width = BATCH * TOKENS, INPUT + INDICATOR
    if head == "bilstm":
        inputs, steps = [(2, words, width, 4 * HIDDEN)], [(2 * TOKENS, BATCH, HIDDEN, 4 * HIDDEN)]
        return [*inputs, *steps, (1, words, 2 * HIDDEN, len(LABELS))]
    inputs = [(1, words, width, 6 * HIDDEN), (LAYERS - 1, words, HIDDEN, 6 * HIDDEN)]
    return [*inputs, (LAYERS * TOKENS, BATCH, HIDDEN, 5 * HIDDEN), (1, words, HIDDEN, len(LABELS))]


def step(head: str) -> Callable[[], None]:
    """Return a function that does one training step on a batch of sentences of almost equal length."""
    task = SemanticRoleLabelling(
        data=DataConfig(),
        head=head,  # type: ignore[arg-type]
        predicate_dim=INDICATOR,
        deep_bilstm=DeepBiLstmOptions(hidden_dim=HIDDEN, num_layers=LAYERS, recurrent_dropout=0.1),
        bilstm=BiLstmOptions(hidden_dim=HIDDEN, num_layers=1, dropout=0.5),
    )
    vars(task)["labels"] = LABELS
    network = task.build_head(input_dim=INPUT, output_dim=0)
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0, rho=0.95)
    mask = mask_of_lengths(torch.randint(TOKENS - 1, TOKENS + 2, (BATCH,), generator=torch.Generator().manual_seed(0)))
    predicates = torch.zeros(mask.shape, dtype=torch.int64)  # (batch, tokens)
    predicates[:, 3] = 1
    labels = torch.randint(len(LABELS), mask.shape).masked_fill(~mask, -100)  # (batch, tokens)
    inputs = {"predicates": predicates}
    batch = Batch(examples=(), masks={"tokens": mask}, inputs=inputs, gold={"labels": labels})
    # The input needs a gradient too, because the layer mix below it is trained.
    vectors = {"tokens": TokenVectors(input=torch.randn(*mask.shape, INPUT, requires_grad=True))}

    def one() -> None:
        optimizer.zero_grad()
        network.loss(vectors, batch).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return one


@pytest.mark.benchmark(group="a step of SRL, batch 80, 25 tokens")
@pytest.mark.parametrize("head", ["deep_bilstm", "bilstm"])
def test_step(head: str, benchmark) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    one, alone = step(head), products_alone(products(head))
    benchmark.pedantic(one, rounds=5, warmup_rounds=1)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        alone()
        times.append(time.perf_counter() - start)
    ratio = benchmark.stats.stats.median / float(np.median(times))
    benchmark.extra_info |= {"ratio_to_products": ratio}
    print(f"\n{head}: {benchmark.stats.stats.median:.2f} s per step, {ratio:.2f} times its matrix products")
