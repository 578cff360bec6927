"""A mix that returns a wrong shape is one line."""

import pytest
import torch
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.features.token_features import TokenFeatures
from harness.types import Batch, Example
from tests.features.test_token_features import FakeSource


class WithoutTokens(nn.Module):
    output_dim = 4

    def forward(self, layers: Tensor, mask: Tensor) -> Tensor:
        return layers.mean(dim=(1, 2))  # (batch, dim)


def test_a_wrong_shape_names_the_mix_and_both_shapes() -> None:
    features = TokenFeatures(source=FakeSource(), make_mix=WithoutTokens)  # type: ignore[arg-type]
    example = Example(id="0", texts={"tokens": ("the", "bank", "river")})
    batch = Batch(examples=(example,), masks={"tokens": torch.ones(1, 3, dtype=torch.bool)})
    with pytest.raises(HarnessError) as caught:
        features(features.read(batch), batch)
    assert str(caught.value) == (
        "WithoutTokens returned (1, 4) for layers of shape (1, 3, 3, 4); "
        "expected (batch, tokens, output_dim) = (1, 3, 4)"
    )
