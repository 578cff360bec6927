"""The time of a training step of the heads' bidirectional LSTM, next to ``nn.LSTM`` on packed rows, for each task.

Run with: pytest tests/benchmarks/test_lstm.py --benchmark-only (OMP_NUM_THREADS=1 for one thread)
"""

import pytest
import torch

from harness.nn import recurrent
from harness.nn.masking import mask_of_lengths
from harness.nn.recurrent import BiLstm

SIZES = {  # rows, longest row, shortest row, input, cells, layers
    "NER": (32, 20, 10, 434, 200, 2),
    "SST-5": (100, 20, 19, 300, 300, 1),
    "SNLI": (32, 20, 11, 1324, 300, 1),
    "SQuAD": (40, 150, 135, 1224, 100, 1),
}


@pytest.mark.parametrize("way", ["by length", "nn.LSTM"])
@pytest.mark.parametrize("task", SIZES)
def test_step(task: str, way: str, benchmark, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    benchmark.group = f"LSTM of {task}"
    rows, longest, shortest, width, cells, layers = SIZES[task]
    torch.manual_seed(0)
    layer = BiLstm(input_dim=width, hidden_dim=cells, num_layers=layers)
    vectors = torch.randn(rows, longest, width, requires_grad=True)
    mask = mask_of_lengths(torch.linspace(shortest, longest, rows).round().long())
    if way == "nn.LSTM":
        monkeypatch.setattr(recurrent, "_run_by_length", recurrent._run_packed)

    def step() -> None:
        layer.zero_grad()
        vectors.grad = None
        layer(vectors, mask).sum().backward()

    benchmark.pedantic(step, rounds=15, warmup_rounds=3)
