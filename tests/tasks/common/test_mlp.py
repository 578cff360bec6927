"""The MLP probe computes what its equation says, and sees no other token."""

import numpy as np
import torch

from harness.types import TokenVectors
from tasks.common.heads.mlp import Mlp, MlpOptions, MlpTagger

VECTORS = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))  # (batch, tokens, dim)
MASK = torch.ones(2, 3, dtype=torch.bool)


def test_two_hidden_layers_by_hand() -> None:
    mlp = Mlp(input_dim=5, num_labels=3, options=MlpOptions(hidden_dim=4, num_layers=2)).eval()
    value = VECTORS.double().numpy()
    weights = [parameter.detach().double().numpy() for parameter in mlp.parameters()]
    assert [weight.shape for weight in weights] == [(4, 5), (4,), (4, 4), (4,), (3, 4), (3,)]
    for weight, bias in zip(weights[0:4:2], weights[1:4:2], strict=True):
        value = np.maximum(value @ weight.T + bias, 0.0)
    np.testing.assert_allclose(mlp(VECTORS).detach().numpy(), value @ weights[4].T + weights[5], rtol=1e-4, atol=1e-6)


def test_a_tagger_scores_each_token_by_itself_with_the_output_mix() -> None:
    tagger = MlpTagger(input_dim=3, output_dim=2, num_labels=4, options=MlpOptions(hidden_dim=6)).eval()
    scores = tagger(TokenVectors(input=VECTORS[..., :3], output=VECTORS[..., 3:]), MASK)
    torch.testing.assert_close(scores[1, 2], tagger.mlp(VECTORS[1, 2]))
