"""Compare a training step of the biattentive classification network at reference size with its matrix products alone.

No implementation can do without the matrix products. The ratio of the two times shows the cost of everything else:
gates, masks, dropout, packing, and the update of the parameters.

Run with: pytest tests/benchmarks/test_bcn.py --benchmark-only --benchmark-group-by=group -s
"""

import time
from collections.abc import Callable

import pytest
import torch

from harness.config.schema import DataConfig
from harness.nn.masking import mask_of_lengths
from harness.types import Batch, Example, TokenVectors
from tasks.common.heads.bcn import BcnOptions
from tasks.sst5.task import LABELS, SentimentTreebank

BATCH, TOKENS, INPUT, HIDDEN = 100, 20, 1324, 300
MEDIANS: dict[str, float] = {}


def step() -> Callable[[], None]:
    """Return a function that does one training step on a batch of texts of almost equal length."""
    task = SentimentTreebank(data=DataConfig(), bcn=BcnOptions())
    head = task.build_head(input_dim=INPUT, output_dim=0)
    optimizer = torch.optim.Adam(head.parameters())
    lengths = torch.randint(TOKENS - 1, TOKENS + 2, (BATCH,), generator=torch.Generator().manual_seed(0))
    examples = tuple(
        Example(id=str(i), texts={"tokens": ("x",) * int(n)}, target=LABELS[i % 5]) for i, n in enumerate(lengths)
    )
    mask = mask_of_lengths(lengths)  # (batch, tokens)
    batch = Batch(examples=examples, masks={"tokens": mask}, gold={"labels": torch.arange(BATCH) % 5})
    vectors = {"tokens": TokenVectors(input=torch.randn(*mask.shape, INPUT))}

    def one() -> None:
        optimizer.zero_grad()
        head.loss(vectors, batch).backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 5.0)
        optimizer.step()

    return one


def products() -> Callable[[], None]:
    """Return a function that does only the matrix products of that step, forward and backward."""
    flat, gates, pooled = BATCH * TOKENS, 4 * HIDDEN, 8 * HIDDEN
    shapes = [  # rows, inner, columns, number of times, whether the left factor needs a gradient
        (flat, INPUT, HIDDEN, 1, False),  # the ReLU layer; the frozen vectors need no gradient
        (flat, HIDDEN, gates, 2, True),  # the inputs of the encoder, both directions
        (BATCH, HIDDEN, gates, 2 * TOKENS, True),  # the steps of the encoder
        (flat, 6 * HIDDEN, gates, 2, True),  # the inputs of the integrator
        (BATCH, HIDDEN, gates, 2 * TOKENS, True),
        (BATCH, pooled, 4 * 1200, 1, True),  # maxout
        (BATCH, 1200, 4 * 600, 1, True),
    ]
    made = []
    for rows, inner, columns, times, onward in shapes:
        a, b, gradient = torch.randn(rows, inner), torch.randn(inner, columns), torch.randn(rows, columns)
        made.append((a, b, gradient, times, onward))
    encoded = torch.randn(BATCH, TOKENS, 2 * HIDDEN)  # (batch, tokens, 2 * hidden)
    weights = torch.randn(BATCH, TOKENS, TOKENS)  # (batch, tokens, tokens)

    def one() -> None:
        for a, b, gradient, times, onward in made:
            for _ in range(times):
                a @ b
                a.T @ gradient
                if onward:
                    gradient @ b.T
        for _ in range(3):  # biattention, forward and both gradients
            encoded @ encoded.transpose(1, 2)
            weights @ encoded

    return one


@pytest.mark.benchmark(group="one step of the BCN, batch 100, 20 tokens", timer=time.process_time)
@pytest.mark.parametrize("what", ["matrix products alone", "step"])
def test_step(benchmark, what: str) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    one = step() if what == "step" else products()
    benchmark.pedantic(one, rounds=7, warmup_rounds=2)
    MEDIANS[what] = benchmark.stats.stats.median
    if len(MEDIANS) == 2:
        ratio = MEDIANS["step"] / MEDIANS["matrix products alone"]
        benchmark.extra_info["ratio_to_products"] = ratio
        print(f"\none step takes {ratio:.2f} times its matrix products ({BATCH * TOKENS / MEDIANS[what]:.0f} tokens/s)")
