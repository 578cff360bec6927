"""Compare a training step of ESIM at the sizes of the reference with its matrix products alone.

Run with: pytest tests/benchmarks/test_snli.py --benchmark-only -s
The matrix products are those of the two BiLSTMs (input and recurrent, step by step, only for the texts that still have
a word at the step), of the attention, the projection and the classifier, forward and backward, without gates, copies or
padding.
"""

import time
from collections.abc import Callable

import pytest
import torch

from harness.types import Batch, Example, TokenVectors
from tasks.common.heads.esim import Esim
from tasks.common.heads.text_classifier import PAIR, TextClassifier
from tasks.snli.reader import LABELS

INPUT, HIDDEN, PAIRS = 1324, 300, 32
LENGTHS = {"premise": (11, 20), "hypothesis": (6, 12)}  # the shortest and the longest text; the means are 15 and 9


def batch_of_pairs() -> tuple[dict[str, TokenVectors], Batch]:
    """Return random vectors for a batch with typical lengths of SNLI."""
    masks, vectors, texts = {}, {}, {}
    for text, (shortest, longest) in LENGTHS.items():
        lengths = torch.linspace(shortest, longest, PAIRS).round().long()  # (batch,)
        masks[text] = torch.arange(longest) < lengths.unsqueeze(1)  # (batch, tokens)
        vectors[text] = TokenVectors(input=torch.randn(PAIRS, longest, INPUT, requires_grad=True))
        texts[text] = lengths.tolist()
    examples = tuple(
        Example(id=str(i), texts={text: ("word",) * texts[text][i] for text in PAIR}, target=LABELS[i % 3])
        for i in range(PAIRS)
    )
    return vectors, Batch(examples=examples, masks=masks, gold={"labels": torch.arange(PAIRS) % len(LABELS)})


def esim_step() -> Callable[[], None]:
    """Return a function that computes the loss of a batch and all gradients."""
    sizes = {"hidden_dim": HIDDEN, "dropout": 0.5, "attention_dropout": 0.5}
    head = TextClassifier(network=Esim(input_dim=INPUT, output_dim=0, num_labels=len(LABELS), **sizes), labels=LABELS)
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
    rows = [int((lengths > t).sum()) for t in range(int(lengths.max()))]  # texts that have a word at each step
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
        for _ in range(3):  # the scores and both weighted sums, forward and two gradients each
            first @ second.transpose(1, 2)
            weights @ second
            weights.transpose(1, 2) @ first

    return step


@pytest.mark.benchmark(group="a training step of ESIM, 32 pairs", timer=time.process_time)
@pytest.mark.parametrize("what", ["esim", "products alone"])
def test_step(benchmark, what: str) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    benchmark.pedantic(esim_step() if what == "esim" else products(), rounds=15, warmup_rounds=3)
    print(f"\n{what}: {1000 * benchmark.stats.stats.median:.0f} ms per step")
