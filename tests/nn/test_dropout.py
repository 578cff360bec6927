"""VariationalDropout, and the masks that all layers of harness.nn use."""

import pytest
import torch

from harness.config.instantiate import build
from harness.errors import ConfigError
from harness.nn.dropout import VariationalDropout
from harness.nn.masking import lengths_of_mask, mask_of_lengths


def test_the_same_dimensions_are_dropped_at_every_token_and_different_ones_in_each_row():
    torch.manual_seed(0)
    output = VariationalDropout(dropout=0.4)(torch.ones(8, 5, 100))
    assert torch.equal(output, output[:, :1].expand_as(output))
    assert not torch.equal(output[0], output[1])
    torch.testing.assert_close(output.unique(), torch.tensor([0.0, 1 / 0.6]))


def test_the_expected_value_stays():
    torch.manual_seed(0)
    mean = VariationalDropout(dropout=0.4)(torch.ones(100, 1, 1000)).mean()
    assert abs(mean - 1.0) < 0.02  # 8 standard deviations


def test_off_in_evaluation_and_at_zero():
    vectors = torch.randn(2, 3, 4)
    assert torch.equal(VariationalDropout(dropout=0.5).eval()(vectors), vectors)
    assert torch.equal(VariationalDropout(dropout=0.0)(vectors), vectors)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_a_value_out_of_range_is_refused(dropout):
    with pytest.raises(ConfigError, match=rf"head\.dropout is {dropout}; expected a value (greater|less) than"):
        build(
            {"_target_": "harness.nn.dropout.VariationalDropout", "dropout": dropout},
            kind=VariationalDropout,
            where="head",
        )


def test_masks_and_lengths():
    lengths = torch.tensor([2, 0, 3])
    mask = torch.tensor([[True, True, False], [False, False, False], [True, True, True]])
    assert torch.equal(mask_of_lengths(lengths), mask)
    assert torch.equal(mask_of_lengths(lengths, 5), torch.nn.functional.pad(mask, (0, 2)))
    assert mask_of_lengths(torch.zeros(0, dtype=torch.int64)).shape == (0, 0)
    assert torch.equal(lengths_of_mask(mask), lengths)


def test_lengths_refuse_a_token_after_padding():
    with pytest.raises(ValueError, match="row 1 has a token after padding"):
        lengths_of_mask(torch.tensor([[True, False, False], [True, False, True]]))
