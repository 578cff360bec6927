"""The time of one LSTM layer and direction for 8,192 tokens on a GPU, with three implementations.

Run with: pytest tests/benchmarks/test_gpu_steps.py -m gpu --benchmark-only. The encoder uses steps captured as a CUDA
graph if the steps are short, fused steps if they are long, and plain steps if torch has no compiler on this machine.
"""

import pytest
import torch

from harness.encoders.kernels import cuda_graphs as captured
from harness.encoders.kernels import projected_lstm
from harness.encoders.kernels.lstm_steps import LstmState
from harness.encoders.kernels.projected_lstm import ProjectedLstm
from tests.benchmarks.compare import model

TOKENS = 8192


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rows", [512, 64])
@pytest.mark.parametrize("size", ["original", "small", "elmo_mini"])
@pytest.mark.parametrize("way", ["captured", "fused", "plain", "products alone"])
def test_steps(way: str, size: str, rows: int, dtype: str, benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark.group = f"{size}, {rows} x {TOKENS // rows}, {dtype}"
    options, _ = model(size)
    with torch.device("cuda"):
        lstm = ProjectedLstm(options).requires_grad_(False)
        for parameter in lstm.parameters():
            parameter.normal_(std=0.02)
        inputs = torch.randn(TOKENS, options.projection_dim)
        state = LstmState(torch.zeros(rows, options.projection_dim), torch.zeros(rows, options.lstm_dim))
        big = torch.randn(TOKENS, options.lstm_dim)
    for name in ("weight", "projection"):
        getattr(lstm, name).data = getattr(lstm, name).data.to(getattr(torch, dtype))
    monkeypatch.setattr(captured, "_MOST", 2**62)
    if way in ("fused", "plain"):
        monkeypatch.setattr(projected_lstm, "captured_steps", lambda *_: None)
    if way == "plain":
        monkeypatch.setattr(projected_lstm, "fused_cell", lambda *_: None)

    def run() -> None:
        if way == "products alone":
            for _ in range(2):  # one for the inputs, one for the hidden states
                torch.mm(inputs.to(lstm.weight.dtype), lstm.weight[: options.projection_dim])
            torch.mm(big.to(lstm.weight.dtype), lstm.projection)
        else:
            lstm(inputs, [rows] * (TOKENS // rows), state)
        torch.cuda.synchronize()

    with torch.inference_mode():
        benchmark.pedantic(run, warmup_rounds=3, rounds=20)
