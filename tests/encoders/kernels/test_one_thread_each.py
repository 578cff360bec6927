"""Several computations at the same time: their torch settings, their order, and their errors."""

from collections.abc import Iterator
from threading import Barrier

import pytest
import torch

from harness.encoders.kernels.one_thread_each import one_thread_each


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("inference", [False, True])
def test_each_computes_without_gradient_on_one_thread(threads: int, inference: bool) -> None:
    weight = torch.ones(2, 2, requires_grad=True)
    meeting = Barrier(threads, timeout=10)

    def work(number: int) -> tuple[int, bool, torch.Tensor]:
        meeting.wait()  # fails if fewer threads run
        return torch.get_num_threads(), torch.is_inference_mode_enabled(), weight * number

    with torch.inference_mode(inference):
        done = one_thread_each(work, 2 * threads)
    for number, (used, mode, product) in enumerate(done):
        assert used == 1
        assert mode == inference
        assert not product.requires_grad
        assert torch.equal(product, torch.full((2, 2), float(number)))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_either_is_raised(failing: int, threads: int) -> None:
    def work(number: int) -> int:
        return 1 // (number - failing)

    with pytest.raises(ZeroDivisionError):
        one_thread_each(work, 2)
    assert torch.get_num_threads() == threads
