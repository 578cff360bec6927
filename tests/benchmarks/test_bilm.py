"""The time of the layers of ``elmo_mini`` for one batch (4,080 positions), next to that of its matrix products alone.

Run with: pytest tests/benchmarks/test_bilm.py --benchmark-only
"""

from pathlib import Path

import pytest
import torch

from harness.config.instantiate import build
from harness.encoders.elmo import ElmoEncoder
from tests.support.runs import config_of

TOKENS = 20
ROWS = 4096 // TOKENS


@pytest.mark.benchmark(group="elmo_mini, one batch")
def test_layers(benchmark, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder: ElmoEncoder = build(config_of(tmp_path).encoder, kind=ElmoEncoder, where="encoder")
    words = 0.3 * torch.randn(TOKENS * ROWS, 128)
    rows = torch.arange(TOKENS * ROWS)  # each word occurs once
    streams = encoder._streams
    assert streams is not None
    with torch.inference_mode():
        benchmark(lambda: streams.run(words, rows, [TOKENS] * ROWS, encoder._start))


@pytest.mark.benchmark(group="elmo_mini, one batch")
def test_matrix_products_alone(benchmark) -> None:
    torch.set_num_threads(1)
    width, dim = 128, 512
    inputs = torch.randn(TOKENS * ROWS, width)
    row, cell = torch.randn(ROWS, width), torch.randn(ROWS, dim)
    weight, projection = torch.randn(width, 4 * dim), torch.randn(dim, width)

    def products() -> None:
        for _ in range(4):  # two layers, two directions
            for block in inputs.split(1024):
                torch.mm(block, weight)
            for _ in range(TOKENS):
                torch.mm(row, weight)
                torch.mm(cell, projection)

    benchmark(products)
