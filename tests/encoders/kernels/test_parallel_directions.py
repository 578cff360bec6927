"""Two computations at the same time: their torch settings, and their errors."""

from collections.abc import Iterator
from threading import Barrier

import pytest
import torch

from harness.encoders.kernels.parallel_directions import run_both


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("inference", [False, True])
def test_both_compute_without_gradient_on_half_of_the_threads(threads: int, inference: bool) -> None:
    weight = torch.ones(2, 2, requires_grad=True)

    meeting = Barrier(2, timeout=10)

    def work(number: int) -> tuple[int, bool, torch.Tensor]:
        if threads > 1:
            meeting.wait()  # fails if only one thread runs
        return torch.get_num_threads(), torch.is_inference_mode_enabled(), weight * number

    with torch.inference_mode(inference), torch.no_grad():
        done = run_both(work)
    for number, (used, mode, product) in enumerate(done):
        assert used == max(1, threads // 2)
        assert mode == inference
        assert not product.requires_grad
        assert torch.equal(product, torch.full((2, 2), float(number)))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_either_is_raised(failing: int, threads: int) -> None:
    def work(number: int) -> int:
        return 1 // (number - failing)

    with pytest.raises(ZeroDivisionError):
        run_both(work)
    assert torch.get_num_threads() == threads
