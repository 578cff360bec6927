"""The time of the CRF's loss with its gradient, and of its decoding, next to those of pytorch-crf.

Run with: pytest tests/benchmarks/test_crf.py --benchmark-only
"""

import pytest
import torch
from torchcrf import CRF

from harness.nn.crf import ConditionalRandomField

BATCH, TOKENS, TAGS = 32, 50, 9
LENGTHS = torch.linspace(25, TOKENS, BATCH).long()  # as in one batch of similar lengths
MASK = torch.arange(TOKENS) < LENGTHS.unsqueeze(1)  # (batch, tokens)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def given() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(BATCH, TOKENS, TAGS, requires_grad=True), torch.randint(TAGS, (BATCH, TOKENS))


@pytest.mark.benchmark(group="loss with gradient")
def test_loss(benchmark) -> None:
    crf, (emissions, tags) = ConditionalRandomField(num_tags=TAGS), given()
    benchmark(lambda: crf.log_likelihood(emissions, tags, MASK).sum().backward())


@pytest.mark.benchmark(group="loss with gradient")
def test_loss_of_pytorch_crf(benchmark) -> None:
    crf, (emissions, tags) = CRF(TAGS, batch_first=True), given()
    benchmark(lambda: crf(emissions, tags, MASK, reduction="sum").backward())


@pytest.mark.benchmark(group="decoding")
def test_decoding(benchmark) -> None:
    crf, (emissions, _) = ConditionalRandomField(num_tags=TAGS), given()
    benchmark(lambda: crf.viterbi(emissions, MASK))


@pytest.mark.benchmark(group="decoding")
def test_decoding_of_pytorch_crf(benchmark) -> None:
    crf, (emissions, _) = CRF(TAGS, batch_first=True), given()
    benchmark(lambda: crf.decode(emissions, MASK))
