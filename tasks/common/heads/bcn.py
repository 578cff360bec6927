"""The biattentive classification network (BCN).

Source: McCann et al. 2017 (CoVe, arXiv 1708.00107), section 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from harness.config.bounds import Dropout, Positive
from harness.errors import ConfigError
from harness.nn.attention import dot_product, masked_softmax
from harness.nn.feedforward import FeedForward, Maxout
from harness.nn.pooling import SelfAttentivePool, max_pool, mean_pool, min_pool
from harness.nn.recurrent import BiLstm
from harness.types import Batch, TokenVectors

OutputLayers = Literal["maxout", "relu"]


@dataclass(frozen=True, kw_only=True)
class BcnOptions:
    """Sizes of the biattentive classification network.

    Args:
        pre_encode_dim: The width of the ReLU layer before the encoder.
        hidden_dim: The number of cells of encoder and integrator in each direction.
        input_dropout: The dropout on the token vectors.
        pre_encode_dropout: The dropout after the ReLU layer.
        pooled_dropout: The dropout on the pooled vector.
        output: The kind of the output layers.
        output_dims: The widths of the output layers before the layer of the labels.
        output_dropouts: The dropout after each of them.
        pool_size: The number of linear maps of each maxout layer.

    Raises:
        ConfigError: The numbers of output layers and of their dropouts differ.
    """

    pre_encode_dim: Positive = 300
    hidden_dim: Positive = 300
    input_dropout: Dropout = 0.5
    pre_encode_dropout: Dropout = 0.25
    pooled_dropout: Dropout = 0.1
    output: OutputLayers = "maxout"
    output_dims: tuple[Positive, ...] = (1200, 600)
    output_dropouts: tuple[Dropout, ...] = (0.2, 0.3)
    pool_size: Positive = 4

    def __post_init__(self) -> None:
        layers, dropouts = len(self.output_dims), len(self.output_dropouts)
        if layers != dropouts:
            raise ConfigError(
                f"task.bcn.output_dropouts has {dropouts} values for {layers} layers in task.bcn.output_dims; "
                "give one per layer"
            )


class BiattentiveClassifier(nn.Module):
    """The biattentive classification network (BCN) over one text, which attends to itself.

    ReLU layer -> BiLSTM (the encoder) -> biattention -> BiLSTM (the integrator) -> maximum, minimum, mean and
    self-attentive mean over the tokens -> output layers. The output mix (``mixing.placement=output|both``) joins the
    output of the integrator, before the pooling.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that are joined to the output of the integrator; 0 for none.
        num_labels: The number of labels.
        pre_encode_dim: The width of the ReLU layer.
        hidden_dim: The number of cells of each BiLSTM in each direction.
        input_dropout: The dropout on the token vectors, in [0, 1), as are the other dropouts.
        pre_encode_dropout: The dropout after the ReLU layer.
        pooled_dropout: The dropout on the pooled vector.
        output: The kind of the output layers. The layer of the labels is a maxout layer too for ``maxout``, and a
            linear layer for ``relu``.
        output_dims: The widths of the output layers before the layer of the labels.
        output_dropouts: The dropout after each of them.
        pool_size: The number of linear maps of each maxout layer.

    Source:
        McCann et al. 2017, section 5. Peters et al. 2018 use ReLU layers with dropout instead of maxout layers with
        batch normalisation (supplement A.8; not verified). AllenNLP's ``bcn`` has maxout layers with dropout. Up to
        version 0.6, its ELMo configuration joins a second mix to the output of the integrator
        (``use_integrator_output_elmo``), as here.
    """

    def __init__(
        self,
        *,
        input_dim: int,
        output_dim: int,
        num_labels: int,
        pre_encode_dim: int,
        hidden_dim: int,
        input_dropout: float,
        pre_encode_dropout: float,
        pooled_dropout: float,
        output: OutputLayers,
        output_dims: Sequence[int],
        output_dropouts: Sequence[float],
        pool_size: int,
    ) -> None:
        super().__init__()
        self.input_dropout = nn.Dropout(input_dropout)
        self.pre_encode = FeedForward(input_dim=input_dim, dims=[pre_encode_dim], dropouts=[pre_encode_dropout])
        self.encoder = BiLstm(input_dim=pre_encode_dim, hidden_dim=hidden_dim)
        self.integrator = BiLstm(input_dim=3 * self.encoder.output_dim, hidden_dim=hidden_dim)
        width = self.integrator.output_dim + output_dim
        self.attentive_pool = SelfAttentivePool(dim=width)
        self.pooled_dropout = nn.Dropout(pooled_dropout)
        self.output: nn.Module
        if output == "maxout":
            dims, dropouts = [*output_dims, num_labels], [*output_dropouts, 0.0]
            self.output = Maxout(input_dim=4 * width, dims=dims, dropouts=dropouts, pool_size=pool_size)
        else:
            hidden = FeedForward(input_dim=4 * width, dims=output_dims, dropouts=output_dropouts)
            self.output = nn.Sequential(hidden, nn.Linear(hidden.output_dim, num_labels))

    def forward(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label, float (batch, labels).

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: The sentences.
        """
        tokens, mask = vectors["tokens"], batch.masks["tokens"]
        entered = self.pre_encode(self.input_dropout(tokens.input))  # (batch, tokens, pre_encode_dim)
        encoded = self.encoder(entered, mask)  # (batch, tokens, 2 * hidden_dim)
        integrated = self.integrator(biattend(encoded, mask), mask)  # (batch, tokens, 2 * hidden_dim)
        integrated = tokens.join_output(integrated)  # (batch, tokens, 2 * hidden_dim + output_dim)
        pools = [pool(integrated, mask) for pool in (max_pool, min_pool, mean_pool, self.attentive_pool)]
        pooled = torch.cat(pools, dim=1)  # (batch, 4 * (2 * hidden_dim + output_dim))
        scores: Tensor = self.output(self.pooled_dropout(pooled))  # (batch, labels)
        return scores


def biattend(encoded: Tensor, mask: Tensor) -> Tensor:
    """Return each token of a text, joined with what it attends to in the same text.

    Args:
        encoded: The tokens, float (batch, tokens, dim).
        mask: The mask, bool (batch, tokens).

    Returns:
        For each token, float (batch, tokens, 3 * dim): the token itself, its difference from a mean of all tokens, and
        its product with that mean. A softmax of the dot products with the token weights the mean.

    Source: McCann et al. 2017, section 5, where both texts are the same.
    """
    weights = masked_softmax(dot_product(encoded, encoded), mask.unsqueeze(1))  # (batch, tokens, tokens)
    attended = weights @ encoded  # (batch, tokens, dim)
    return torch.cat([encoded, encoded - attended, encoded * attended], dim=2)  # (batch, tokens, 3 * dim)
