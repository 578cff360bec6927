"""A training step of ESIM at the reference's sizes, beside the matrix products that it cannot do without.

Run with: pytest tests/benchmarks/test_snli.py --benchmark-only -s
The products are those of the two BiLSTMs (input and recurrent, step by step, on the words that a step has), of the
attention, the projection and the classifier, each forward and backward, without gates, copies or padding.
"""

from collections.abc import Callable

import pytest
import torch

from harness.types import Batch, Example, TokenVectors
from tasks.snli.task import LABELS, TEXTS, Esim

INPUT, HIDDEN, PAIRS = 1324, 300, 32
LENGTHS = {"premise": (11, 20), "hypothesis": (6, 12)}  # a bucket's shortest and longest: 15 and 9 words in the mean


def batch_of_pairs() -> tuple[dict[str, TokenVectors], Batch]:
    """Return random vectors of a batch as SNLI has them."""
    masks, vectors, texts = {}, {}, {}
    for text, (shortest, longest) in LENGTHS.items():
        lengths = torch.linspace(shortest, longest, PAIRS).round().long()  # (batch,)
        masks[text] = torch.arange(longest) < lengths.unsqueeze(1)  # (batch, tokens)
        vectors[text] = TokenVectors(input=torch.randn(PAIRS, longest, INPUT, requires_grad=True))
        texts[text] = lengths.tolist()
    examples = tuple(
        Example(id=str(i), texts={text: ("word",) * texts[text][i] for text in TEXTS}, target=LABELS[i % 3])
        for i in range(PAIRS)
    )
    return vectors, Batch(examples=examples, masks=masks, gold={"labels": torch.arange(PAIRS) % len(LABELS)})


def esim_step() -> Callable[[], None]:
    """Return a function that computes a batch's loss and every gradient."""
    head = Esim(input_dim=INPUT, output_dim=0, hidden_dim=HIDDEN, dropout=0.5, attention_dropout=0.5)
    vectors, batch = batch_of_pairs()

    def step() -> None:
        head.zero_grad()
        head.loss(vectors, batch).backward()

    return step


def products() -> Callable[[], None]:
    """Return a function that multiplies the same matrices, forward and backward."""
    _, batch = batch_of_pairs()
    lengths = torch.cat([mask.sum(dim=1) for mask in batch.masks.values()])  # (2 * batch,)
    words = int(lengths.sum())
    rows = [int((lengths > t).sum()) for t in range(int(lengths.max()))]  # texts that still run at each step
    wide = 2 * HIDDEN
    shapes = [
        (words, INPUT, 2 * 4 * HIDDEN),
        (words, HIDDEN, 2 * 4 * HIDDEN),
        *[(count, HIDDEN, 4 * HIDDEN) for count in rows for _ in range(4)],  # two BiLSTMs, two directions
        (words, 4 * wide, HIDDEN),
        (PAIRS, 4 * wide, HIDDEN),
        (PAIRS, HIDDEN, len(LABELS)),
    ]
    pairs = [(torch.randn(m, k), torch.randn(k, n), torch.randn(m, n)) for m, k, n in shapes]
    first, second = (torch.randn(PAIRS, longest, wide) for _, longest in LENGTHS.values())
    weights = torch.randn(PAIRS, LENGTHS["premise"][1], LENGTHS["hypothesis"][1])

    def step() -> None:
        for left, right, gradient in pairs:
            torch.mm(left, right)
            torch.mm(gradient, right.T)
            torch.mm(left.T, gradient)
        for _ in range(3):  # the scores and both sums, each with its two gradients
            first @ second.transpose(1, 2)
            weights @ second
            weights.transpose(1, 2) @ first

    return step


@pytest.mark.benchmark(group="a training step of ESIM, 32 pairs")
@pytest.mark.parametrize("what", ["esim", "products alone"])
def test_step(benchmark, what: str) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    benchmark.pedantic(esim_step() if what == "esim" else products(), rounds=15, warmup_rounds=3)
    print(f"\n{what}: {1000 * benchmark.stats.stats.median:.0f} ms a step")
