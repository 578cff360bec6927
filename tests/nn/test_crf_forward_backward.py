"""Forward-backward in probabilities against sums of logarithms with recorded gradients, up to the widest scores."""

import pytest
import torch
from torch import Tensor

from harness.nn.crf import ConditionalRandomField
from harness.nn.crf_forward_backward import fits_probabilities, log_partition_of
from harness.nn.masking import mask_of_lengths

LENGTHS = torch.tensor([7, 0, 1, 40, 12])
TAGS = 5


def scores(width: float, dtype: torch.dtype = torch.double) -> list[Tensor]:
    """Return emissions, transitions, start and end whose ranges at one step add up to ``width`` at most."""
    generator = torch.Generator().manual_seed(3)
    shapes = ((40, len(LENGTHS), TAGS), (TAGS, TAGS), (TAGS,), (TAGS,))
    made = [(torch.rand(shape, generator=generator) - 0.5) * width / 2 for shape in shapes]
    made[0] = made[0] * mask_of_lengths(LENGTHS, 40).t().unsqueeze(2)
    return [one.to(dtype).requires_grad_() for one in made]


def in_logarithms(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    mask = mask_of_lengths(LENGTHS, 40)
    total = ConditionalRandomField._log_partition_in_logarithms(emissions, mask, transitions, start, end)
    return total.masked_fill(LENGTHS == 0, 0.0)


@pytest.mark.parametrize("width", [0.0, 1.0, 20.0, 59.0])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.double, 1e-11), (torch.float32, 2e-5)])
def test_values_and_gradients_equal_those_in_logarithms(width: float, dtype: torch.dtype, atol: float) -> None:
    made = scores(width, dtype)
    assert fits_probabilities(*made)
    exact = scores(width)
    weight = torch.linspace(-1, 2, len(LENGTHS))
    ours, theirs = log_partition_of(made[0], LENGTHS, *made[1:]), in_logarithms(*exact)
    torch.testing.assert_close(ours.double(), theirs, atol=atol, rtol=atol)
    for one, other in zip(
        torch.autograd.grad((ours * weight).sum(), made),
        torch.autograd.grad((theirs * weight).sum(), exact),
        strict=True,
    ):
        torch.testing.assert_close(one.double(), other, atol=atol, rtol=10 * atol)


def test_the_gradient_is_the_numerical_one() -> None:
    made = scores(6.0)
    assert torch.autograd.gradcheck(lambda e, t, s, n: log_partition_of(e[:4], LENGTHS.clamp(max=4), t, s, n), made)


def test_wide_scores_and_what_is_no_number_do_not_fit() -> None:
    assert fits_probabilities(*scores(59.0))
    emissions, *rest = scores(1.0)
    assert not fits_probabilities(emissions * 200, *rest)
    assert not fits_probabilities(emissions, rest[0] * 200, *rest[1:])
    assert not fits_probabilities(torch.full_like(emissions, torch.nan), *rest)
    assert not fits_probabilities(emissions[:0], *rest)


def test_a_crf_with_wide_scores_computes_in_logarithms() -> None:
    crf = ConditionalRandomField(num_tags=2, start_end_transitions=True).double()
    emissions = torch.tensor([[[0.0, -500.0], [-500.0, 0.0]]], dtype=torch.double)
    with torch.no_grad():
        crf.transitions.copy_(torch.tensor([[0.0, -1000.0], [0.0, 0.0]]))
    total = crf.log_partition(emissions, torch.ones(1, 2, dtype=torch.bool))
    start, end = crf.start_transitions, crf.end_transitions
    paths = torch.stack([start[0] - 500 + end[0], start[1] - 500 + end[1]])  # the two that are not far below
    torch.testing.assert_close(total[0], torch.logsumexp(paths, 0), atol=1e-9, rtol=1e-12)
