"""Forward-backward in probabilities, checked against logarithms with autograd, up to the widest scores."""

import pytest
import torch
from torch import Tensor

from harness.nn.crf import ConditionalRandomField, _log_partition_in_logarithms
from harness.nn.crf_forward_backward import log_partition_in_probabilities
from harness.nn.masking import mask_of_lengths

LENGTHS = torch.tensor([7, 0, 1, 40, 12])
MASK = mask_of_lengths(LENGTHS, 40)
TAGS = 5


def scores(width: float, dtype: torch.dtype = torch.double) -> list[Tensor]:
    """Return emissions and transitions whose ranges at one step sum to at most ``width``."""
    generator = torch.Generator().manual_seed(3)
    shapes = ((40, len(LENGTHS), TAGS), (TAGS, TAGS))
    made = [(torch.rand(shape, generator=generator) - 0.5) * width / 2 for shape in shapes]
    made[0] = made[0] * MASK.t().unsqueeze(2)
    return [one.to(dtype).requires_grad_() for one in made]


@pytest.mark.parametrize("width", [0.0, 1.0, 20.0, 59.0])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.double, 1e-11), (torch.float32, 2e-5)])
def test_values_and_gradients_equal_those_in_logarithms(width: float, dtype: torch.dtype, atol: float) -> None:
    made, exact = scores(width, dtype), scores(width)
    weight = torch.linspace(-1, 2, len(LENGTHS))
    ours = log_partition_in_probabilities(made[0], LENGTHS, made[1])
    assert ours is not None
    theirs = _log_partition_in_logarithms(exact[0], MASK, exact[1])
    torch.testing.assert_close(ours.double(), theirs, atol=atol, rtol=atol)
    for one, other in zip(
        torch.autograd.grad((ours * weight).sum(), made),
        torch.autograd.grad((theirs * weight).sum(), exact),
        strict=True,
    ):
        torch.testing.assert_close(one.double(), other, atol=atol, rtol=10 * atol)


def test_the_gradient_is_the_numerical_one() -> None:
    lengths = LENGTHS.clamp(max=4)
    assert torch.autograd.gradcheck(lambda e, t: log_partition_in_probabilities(e[:4], lengths, t), scores(6.0))


def test_scores_that_are_too_wide_or_nan_give_none() -> None:
    def fits(emissions: Tensor, transitions: Tensor) -> bool:
        return log_partition_in_probabilities(emissions, LENGTHS, transitions) is not None

    assert fits(*scores(59.0))
    emissions, transitions = scores(1.0)
    assert not fits(emissions * 200, transitions)
    assert not fits(emissions, transitions * 200)
    assert not fits(torch.full_like(emissions, torch.nan), transitions)
    assert not fits(emissions[:0], transitions)


def test_a_crf_with_wide_scores_computes_in_logarithms() -> None:
    crf = ConditionalRandomField(num_tags=2).double()
    emissions = torch.tensor([[[0.0, -500.0], [-500.0, 0.0]]], dtype=torch.double)
    with torch.no_grad():
        crf.transitions.copy_(torch.tensor([[0.0, -1000.0], [0.0, 0.0]]))
    total = crf.log_partition(emissions, torch.ones(1, 2, dtype=torch.bool))
    paths = torch.tensor([-500.0, -500.0], dtype=torch.double)  # 0 -> 0 and 1 -> 1; the other paths are far below
    torch.testing.assert_close(total[0], torch.logsumexp(paths, 0), atol=1e-9, rtol=1e-12)
