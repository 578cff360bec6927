"""The best BIO tags against the enumeration of all sequences."""

from itertools import product

import pytest
import torch

from harness.nn.masking import mask_of_lengths
from tasks.common.bio_decoding import best_bio
from tasks.common.tag_schemes import TagError, all_tags, spans

LABELS = all_tags(["A", "C-A"], "bio")


def legal(sequence: tuple[int, ...]) -> bool:
    try:
        spans([LABELS[i] for i in sequence], "bio")
    except TagError:
        return False
    return True


@pytest.mark.parametrize("seed", range(20))
def test_the_best_sequence_of_all(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([4, 1, 0, 3, 2])
    scores = torch.randn(5, 6, len(LABELS), generator=generator).double() * 3
    found = best_bio(scores, mask_of_lengths(lengths, 6), LABELS)
    for row, length in enumerate(lengths.tolist()):
        sequences = [one for one in product(range(len(LABELS)), repeat=length) if legal(one)]
        expected = max(sequences, key=lambda one: sum(scores[row, t, tag].item() for t, tag in enumerate(one)))
        assert found[row] == expected


def test_an_i_that_nothing_precedes_is_never_chosen_even_after_five_thousand_tokens() -> None:
    scores = torch.full((1, 5000, len(LABELS)), -9.0)
    scores[:, :, LABELS.index("I-C-A")] = 0.0
    found = best_bio(scores, torch.ones(1, 5000, dtype=torch.bool), LABELS)[0]
    assert [LABELS[i] for i in found] == ["B-C-A", *["I-C-A"] * 4999]


@pytest.mark.parametrize("shape", [(2, 0), (2, 3), (0, 0)])
def test_rows_without_tokens_have_no_tags(shape: tuple[int, int]) -> None:
    assert best_bio(torch.randn(*shape, 5), torch.zeros(shape, dtype=torch.bool), LABELS) == [()] * shape[0]
