"""The peak memory is that since the last reset."""

import sys

import pytest
import torch

from harness.utils.memory import peak_memory, reset_peak_memory

SIZE = 200_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot reset the peak")
def test_the_peak_rises_with_memory_that_is_used_and_falls_after_a_reset() -> None:
    reset_peak_memory("cpu")
    before = peak_memory("cpu")["process"]
    assert before is not None
    torch.ones(SIZE, dtype=torch.uint8)  # freed at once
    used = peak_memory("cpu")["process"]
    assert used is not None
    assert used - before == pytest.approx(SIZE, rel=0.2)
    reset_peak_memory("cpu")
    after = peak_memory("cpu")["process"]
    assert after is not None
    assert after < used - SIZE / 2
    assert peak_memory("cpu")["gpu"] is None


@pytest.mark.gpu
def test_the_peak_of_a_gpu() -> None:
    reset_peak_memory("cuda")
    before = peak_memory("cuda")["gpu"]
    torch.ones(SIZE, dtype=torch.uint8, device="cuda")
    after = peak_memory("cuda")["gpu"]
    assert before is not None
    assert after is not None
    assert after - before >= SIZE
