"""Captured steps in fixed memory: CUDA graphs on a GPU, and plain repetition of the same work without one."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from harness.encoders.elmo import ElmoEncoder
from harness.encoders.kernels import cuda_graphs as captured
from harness.encoders.kernels import projected_lstm
from harness.encoders.kernels.async_copy import host_copy, one_ahead
from harness.encoders.kernels.cuda_graphs import CapturedSteps
from harness.encoders.kernels.lstm_steps import LstmState
from harness.types import Sentence
from tests.support.encoders import tiny_elmo

SENTENCES = [tuple(f"w{i % 7}" for i in range(length)) for length in (9, 40, 1, 0, 9, 2, 17, *[5] * 70, *[3] * 40)]


def vectors(encoder: ElmoEncoder, sentences: list[Sentence] = SENTENCES) -> list[Tensor]:
    return [layers for _, layers in sorted(encoder.encode(sentences), key=lambda pair: pair[0])]


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Let a CPU capture steps, with repeated work instead of a graph; return the device of each capture."""
    captured_on: list[torch.device] = []

    def repeating(device: torch.device) -> captured.Capture:
        def capture(work: Callable[[], None]) -> Callable[[], None]:
            captured_on.append(device)
            work()  # as before a capture
            return work

        return capture

    monkeypatch.setattr(ElmoEncoder, "_streams", None)  # batches on a CPU as on a GPU
    monkeypatch.setattr(captured, "_DEVICE_TYPE", "cpu")
    monkeypatch.setattr(captured, "_cuda_graphs", repeating)
    return captured_on


@pytest.mark.parametrize("state", ["zeros", "warm", "carry"])
def test_captured_steps_compute_the_same_as_plain_ones(
    state: str, tmp_path: Path, captures: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_capture = tiny_elmo(tmp_path / "a", state=state)
    ours = [vectors(with_capture) for _ in range(2)]  # a carried state differs the second time
    assert captures
    monkeypatch.setattr(captured, "_DEVICE_TYPE", "cuda")
    plain = tiny_elmo(tmp_path / "b", state=state)
    for one, other in zip(ours, [vectors(plain) for _ in range(2)], strict=True):
        for got, expected in zip(one, other, strict=True):
            torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


def test_a_width_is_captured_once(tmp_path: Path, captures: list[torch.device]) -> None:
    encoder = tiny_elmo(tmp_path, max_tokens=100)  # many batches, each with more rows than the last
    vectors(encoder)
    lstms = [lstm for direction in encoder.bilm.directions for lstm in direction]
    assert len(captures) == sum(len(captured._STEPS[lstm]._replays) for lstm in lstms) <= 4 * 3
    before = len(captures)
    vectors(encoder)
    vectors(encoder, SENTENCES[:3])
    assert len(captures) == before


def test_long_steps_and_steps_with_a_gradient_are_not_captured(
    tmp_path: Path, captures: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    lstm = tiny_elmo(tmp_path).bilm.directions[0][0]
    state, sizes = LstmState(torch.zeros(3, 8), torch.zeros(3, 16)), [3, 1]
    assert captured.captured_steps(lstm, lstm.step, state, sizes) is None
    with torch.no_grad():
        assert captured.captured_steps(lstm, lstm.step, state, sizes) is not None
        monkeypatch.setattr(captured, "_MOST", 2 * 64)
        assert captured.captured_steps(lstm, lstm.step, state, sizes) is None


def test_weights_at_a_new_address_are_captured_again(tmp_path: Path, captures: list[torch.device]) -> None:
    encoder, other = tiny_elmo(tmp_path), tiny_elmo(tmp_path, seed=1)
    vectors(encoder)
    encoder.bilm.load_state_dict(other.bilm.state_dict(), assign=True)
    encoder._words, encoder._start = other._words, other._start
    for got, expected in zip(vectors(encoder), vectors(other), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


def test_few_graphs_are_enough_for_any_number_of_rows(tmp_path: Path) -> None:
    lstm = tiny_elmo(tmp_path).bilm.directions[0][0]
    state = LstmState(torch.zeros(2000, 8), torch.zeros(2000, 16))
    steps = CapturedSteps(lstm, 2000, state, lambda work: work)
    widths = {rows: steps._width(rows) for rows in range(1, 2001)}
    assert all(0 <= width - rows < max(32, rows / 8) for rows, width in widths.items())
    assert len(set(widths.values())) < 45


def test_one_ahead_starts_the_next_item_before_it_yields_one() -> None:
    started: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            started.append(number)
            yield number

    assert [(item, len(started)) for item in one_ahead(items())] == [(0, 2), (1, 3), (2, 3)]
    assert list(one_ahead([])) == []


def test_a_tensor_on_the_host_is_not_copied() -> None:
    tensor = torch.zeros(3)
    assert host_copy(tensor)() is tensor


@pytest.mark.gpu
def test_a_process_may_use_two_gpus_in_turn(tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    expected = vectors(tiny_elmo(tmp_path))
    for device in ("cuda:1", "cuda:0"):
        for got, right in zip(vectors(tiny_elmo(tmp_path, device=device)), expected, strict=True):
            torch.testing.assert_close(got, right, atol=1e-5, rtol=0)


@pytest.mark.gpu
@pytest.mark.parametrize("most", [captured._MOST, 0])
@pytest.mark.parametrize("state", ["zeros", "warm", "carry"])
def test_a_gpu_computes_the_same_as_the_cpu(
    state: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captured, "_MOST", most)
    ours, theirs = (tiny_elmo(tmp_path / device, state=state, device=device) for device in ("cuda", "cpu"))
    for _ in range(2):
        for got, expected in zip(vectors(ours), vectors(theirs), strict=True):
            assert not got.is_cuda
            torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    assert any(lstm in captured._STEPS for lstm in ours.bilm.directions[0]) == bool(most)


@pytest.mark.gpu
def test_batches_in_flight_do_not_disturb_each_other(tmp_path: Path) -> None:
    expected = vectors(tiny_elmo(tmp_path))
    for got, right in zip(vectors(tiny_elmo(tmp_path, device="cuda", max_tokens=20)), expected, strict=True):
        torch.testing.assert_close(got, right, atol=1e-5, rtol=0)


@pytest.mark.gpu
def test_graphs_follow_weights_to_a_new_address(tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path, device="cuda")
    vectors(encoder)
    other = tiny_elmo(tmp_path, device="cuda", seed=1)
    encoder.bilm.load_state_dict(other.bilm.state_dict(), assign=True)
    encoder._words, encoder._start = other._words, other._start
    for got, expected in zip(vectors(encoder), vectors(other), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


@pytest.mark.gpu
def test_a_deleted_encoder_leaves_no_graphs(tmp_path: Path) -> None:
    encoder = tiny_elmo(tmp_path, device="cuda")
    vectors(encoder)
    before = len(captured._STEPS)
    del encoder
    gc.collect()
    assert len(captured._STEPS) <= before - 4


@pytest.mark.gpu
@pytest.mark.parametrize("clip", [None, 0.5])
def test_the_fused_cell_computes_the_same_as_torch(clip: float | None, tmp_path: Path) -> None:
    lstm = tiny_elmo(tmp_path, device="cuda").bilm.directions[0][0]
    object.__setattr__(lstm.options, "cell_clip", clip)
    torch.manual_seed(0)
    gates, cell = 5 * torch.randn(33, 64, device="cuda"), 5 * torch.randn(33, 16, device="cuda")
    gates[3, 5] = torch.nan
    with torch.no_grad():
        fused = projected_lstm.fused_cell(gates, clip)
        assert fused is not None
        for got, expected in zip(fused(gates, cell), lstm._cell(gates, cell), strict=True):
            torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-5, equal_nan=True)


@pytest.mark.gpu
def test_bfloat16_on_a_gpu_has_the_reported_rounding_error(tmp_path: Path) -> None:
    exact, rounded = tiny_elmo(tmp_path, device="cuda"), tiny_elmo(tmp_path, device="cuda", dtype="bfloat16")
    theirs, ours = (torch.cat(vectors(encoder), dim=1) for encoder in (exact, rounded))
    error = float((ours - theirs).norm() / theirs.norm())
    assert 1e-4 < error < 2e-2
    assert error / 3 < rounded.rounding_error < 3 * error
