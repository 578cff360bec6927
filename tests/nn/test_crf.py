"""The CRF, checked against the enumeration of all sequences and against pytorch-crf."""

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor
from torchcrf import CRF

from harness.nn.crf import ConditionalRandomField
from harness.nn.masking import mask_of_lengths

LENGTHS = torch.tensor([3, 0, 1, 4, 2])
TAGS = 3
MASK = mask_of_lengths(LENGTHS, 5)  # one place more than the longest row needs
SETTINGS = pytest.mark.parametrize("constrained", [False, True])


def make_crf(*, constrained: bool = False) -> ConditionalRandomField:
    """Return a CRF in double precision; the constraints are: no 0 -> 2, no start with 2, no end with 1."""
    allowed = torch.tensor([[True, True, False], [True, True, True], [True, True, True]])
    return ConditionalRandomField(
        num_tags=TAGS,
        allowed=allowed if constrained else None,
        allowed_start=torch.tensor([True, True, False]) if constrained else None,
        allowed_end=torch.tensor([True, False, True]) if constrained else None,
    ).double()


def make_emissions(seed: int = 0, tokens: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(len(LENGTHS), tokens, TAGS, dtype=torch.double, generator=generator)


def is_legal(crf: ConditionalRandomField, path: tuple[int, ...]) -> bool:
    steps = all(bool(crf.allowed[a, b]) for a, b in pairwise(path))
    return steps and bool(crf.allowed_start[path[0]]) and bool(crf.allowed_end[path[-1]])


def enumerate_scores(
    crf: ConditionalRandomField, emissions: Tensor, *, legal_only: bool
) -> dict[tuple[int, ...], Tensor]:
    """Return the score of each sequence of one row; emissions (tokens, tags) of at least one token."""
    scores = {}
    for path in product(range(TAGS), repeat=len(emissions)):
        if legal_only and not is_legal(crf, path):
            continue
        score = sum((emissions[place, tag] for place, tag in enumerate(path)), emissions.new_zeros(()))
        for a, b in pairwise(path):
            score = score + crf.transitions[a, b]
        scores[path] = score
    return scores


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@SETTINGS
def test_likelihood_and_its_gradients_equal_enumeration(constrained):
    crf = make_crf(constrained=constrained)
    emissions = make_emissions().requires_grad_()
    tags = torch.tensor([[1, 2, 0, 9, 9], [9] * 5, [0, 9, 9, 9, 9], [0, 1, 1, 2, 9], [1, 0, -1, -1, -1]])
    partitions, scores = [], []
    for row, length in enumerate(LENGTHS.tolist()):
        if length == 0:
            partitions.append(emissions[row].sum() * 0)
            scores.append(partitions[-1])
            continue
        every = enumerate_scores(crf, emissions[row, :length], legal_only=False)
        partitions.append(torch.stack(list(every.values())).logsumexp(0))
        scores.append(every[tuple(tags[row, :length].tolist())])

    variables = [emissions, *crf.parameters()]
    partition = crf.log_partition(emissions, MASK)
    torch.testing.assert_close(partition, torch.stack(partitions))
    found = torch.autograd.grad(partition.sum(), variables)
    wanted = torch.autograd.grad(sum(partitions), variables, retain_graph=True)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(found[0].sum(dim=2), MASK.double())  # marginals sum to one at each token

    likelihood = crf.log_likelihood(emissions, tags, MASK)
    expected = torch.stack(scores) - torch.stack(partitions)
    torch.testing.assert_close(likelihood, expected)
    torch.testing.assert_close(
        torch.autograd.grad(likelihood.sum(), variables), torch.autograd.grad(expected.sum(), variables)
    )


def test_likelihood_ignores_constraints():
    emissions, tags = make_emissions(), torch.ones_like(MASK, dtype=torch.int64)
    free, constrained = make_crf(), make_crf(constrained=True)
    constrained.load_state_dict(free.state_dict())
    torch.testing.assert_close(
        constrained.log_likelihood(emissions, tags, MASK), free.log_likelihood(emissions, tags, MASK)
    )


@SETTINGS
@pytest.mark.parametrize("seed", range(5))
def test_viterbi_equals_enumeration(constrained, seed):
    crf, emissions = make_crf(constrained=constrained), make_emissions(seed)
    for row, path in enumerate(crf.viterbi(emissions, MASK)):
        if LENGTHS[row] == 0:
            assert path == ()
        else:
            scores = enumerate_scores(crf, emissions[row, : LENGTHS[row]], legal_only=constrained)
            assert path == max(scores, key=lambda path: scores[path].item())


def test_viterbi_breaks_ties_from_the_last_tag_to_the_first():
    generator = torch.Generator().manual_seed(0)
    crf = make_crf(constrained=True)
    crf.transitions.data = torch.randint(2, (TAGS, TAGS), generator=generator).double()
    emissions = torch.randint(2, (50, 4, TAGS), generator=generator).double()
    ties = 0
    for row, path in enumerate(crf.viterbi(emissions, torch.ones(50, 4, dtype=torch.bool))):
        scores = enumerate_scores(crf, emissions[row], legal_only=True)
        best = [other for other in scores if scores[other] == max(scores.values())]
        ties += len(best) > 1
        assert path == min(best, key=lambda other: other[::-1])
    assert ties > 10


def test_viterbi_never_returns_an_illegal_sequence():
    crf = make_crf(constrained=True)
    crf.transitions.data[0, 2] = 1e6  # the model strongly prefers forbidden sequences
    emissions = make_emissions()
    emissions[:, 0, 2] += 1e6
    emissions[:, :, 1] += 1e5
    paths = crf.viterbi(emissions, MASK)
    assert [len(path) for path in paths] == LENGTHS.tolist()
    assert all(is_legal(crf, path) for path in paths if path)


def test_viterbi_refuses_a_row_without_any_allowed_sequence():
    crf = ConditionalRandomField(
        num_tags=2, allowed_start=torch.tensor([True, False]), allowed_end=torch.tensor([False, True])
    )
    mask = mask_of_lengths(torch.tensor([2, 0, 1]))
    assert crf.viterbi(torch.zeros(2, 2, 2), mask[:2]) == [(0, 1), ()]
    with pytest.raises(ValueError, match=r"row 2 \(1 tokens\) has no tag sequence"):
        crf.viterbi(torch.zeros(3, 2, 2), mask)


def test_equals_pytorch_crf():
    lengths = torch.tensor([7, 1, 30, 12])
    mask = mask_of_lengths(lengths)
    emissions = torch.randn(4, 30, 9, dtype=torch.double, requires_grad=True)
    tags = torch.randint(9, (4, 30))
    ours = ConditionalRandomField(num_tags=9).double()
    theirs = CRF(9, batch_first=True).double()
    theirs.transitions.data.copy_(ours.transitions)
    theirs.start_transitions.data.zero_()  # ours has no such scores
    theirs.end_transitions.data.zero_()
    found = ours.log_likelihood(emissions, tags, mask)
    wanted = theirs(emissions, tags, mask, reduction="none")
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(
        torch.autograd.grad(found.sum(), [emissions, ours.transitions]),
        torch.autograd.grad(wanted.sum(), [emissions, theirs.transitions]),
    )
    assert [list(path) for path in ours.viterbi(emissions, mask)] == theirs.decode(emissions, mask)


def test_more_padding_changes_nothing():
    crf = make_crf(constrained=True)
    emissions = make_emissions()
    tags = torch.zeros(MASK.shape, dtype=torch.int64)
    wider = torch.cat([emissions, torch.full((len(LENGTHS), 6, TAGS), torch.nan)], dim=1)
    wider_tags = torch.nn.functional.pad(tags, (0, 6), value=-100)
    wider_mask = mask_of_lengths(LENGTHS, 11)
    torch.testing.assert_close(
        crf.log_likelihood(wider, wider_tags, wider_mask), crf.log_likelihood(emissions, tags, MASK)
    )
    assert crf.viterbi(wider, wider_mask) == crf.viterbi(emissions, MASK)


def test_batch_without_any_token():
    crf = make_crf()
    empty = torch.zeros(2, 0, TAGS, dtype=torch.double, requires_grad=True)
    mask, tags = torch.zeros(2, 0, dtype=torch.bool), torch.zeros(2, 0, dtype=torch.int64)
    likelihood = crf.log_likelihood(empty, tags, mask)
    likelihood.sum().backward()
    assert likelihood.tolist() == [0.0, 0.0]
    assert crf.viterbi(empty, mask) == [(), ()]


def test_float32_keeps_its_digits_on_3000_tokens():
    tokens = 3000
    emissions, tags = 10 * torch.randn(1, tokens, 5) + 50, torch.randint(5, (1, tokens))
    mask = torch.ones(1, tokens, dtype=torch.bool)
    crf = ConditionalRandomField(num_tags=5)
    likelihood, gradients, paths = {}, {}, {}
    for dtype in (torch.float32, torch.float64):
        crf, inputs = crf.to(dtype), emissions.to(dtype).requires_grad_()
        likelihood[dtype] = crf.log_likelihood(inputs, tags, mask)
        variables = [inputs, *crf.parameters()]
        gradients[dtype] = [g.double() for g in torch.autograd.grad(likelihood[dtype].sum(), variables)]
        paths[dtype] = crf.viterbi(inputs, mask)
    torch.testing.assert_close(likelihood[torch.float32].double(), likelihood[torch.float64], rtol=1e-6, atol=0)
    for single, double in zip(gradients[torch.float32], gradients[torch.float64], strict=True):
        # A gradient of a transition or an end is a sum over tokens, and so is its rounding error.
        summed = 1 if single.shape == emissions.shape else tokens
        torch.testing.assert_close(single, double, rtol=1e-4, atol=1e-5 + summed * 4 * torch.finfo(torch.float32).eps)
    assert paths[torch.float32] == paths[torch.float64]


def test_a_checkpoint_holds_the_transitions_and_no_constraints():
    assert list(make_crf(constrained=True).state_dict()) == ["transitions"]


def test_refuses_a_constraint_of_another_shape_and_a_mask_with_a_hole():
    with pytest.raises(ValueError, match="allowed_end is"):
        ConditionalRandomField(num_tags=3, allowed_end=torch.ones(2, dtype=torch.bool))
    with pytest.raises(ValueError, match="row 1 has a token after padding"):
        make_crf().log_partition(torch.zeros(2, 2, TAGS), torch.tensor([[True, True], [False, True]]))
