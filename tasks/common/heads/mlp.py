"""The MLP probe of tokens and of whole texts: the linear probe, with hidden layers before it.

Source: Hewitt and Liang 2019 (arXiv 1909.03368), section 3.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from harness.config.bounds import Dropout, Positive
from harness.nn.feedforward import FeedForward
from harness.nn.pooling import max_pool, mean_pool
from harness.types import Batch, TokenVectors
from tasks.common.heads.text_classifier import joined_width, pooled_texts


@dataclass(frozen=True, kw_only=True)
class MlpOptions:
    """Sizes of the MLP probe.

    Args:
        hidden_dim: The width of each hidden layer.
        num_layers: The number of hidden layers.
        dropout: The dropout after each hidden layer.
    """

    hidden_dim: Positive = 256
    num_layers: Positive = 1
    dropout: Dropout = 0.0


@dataclass(frozen=True, kw_only=True)
class PooledMlpOptions(MlpOptions):
    """Options of the MLP probe of whole texts.

    Args:
        pooling: How the vectors of all tokens become one vector.
    """

    pooling: Literal["mean", "max"] = "mean"


class Mlp(nn.Module):
    """Hidden ReLU layers, and a linear layer that scores the labels.

    Args:
        input_dim: The width of the input.
        num_labels: The number of labels.
        options: The sizes of the hidden layers.
    """

    def __init__(self, *, input_dim: int, num_labels: int, options: MlpOptions) -> None:
        super().__init__()
        layers = options.num_layers
        self.hidden = FeedForward(
            input_dim=input_dim, dims=[options.hidden_dim] * layers, dropouts=[options.dropout] * layers
        )
        self.to_labels = nn.Linear(options.hidden_dim, num_labels)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the score of each label: float (..., labels) from float (..., input_dim)."""
        scores: Tensor = self.to_labels(self.hidden(vectors))  # (..., labels)
        return scores


class MlpTagger(nn.Module):
    """An MLP on the vector of each token; it has no context.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that other heads join to the output of their encoder; 0 for none. A probe
            has no encoder, so it joins them to the token vectors.
        num_labels: The number of labels.
        options: The sizes of the hidden layers.
    """

    def __init__(self, *, input_dim: int, output_dim: int, num_labels: int, options: MlpOptions) -> None:
        super().__init__()
        self.mlp = Mlp(input_dim=input_dim + output_dim, num_labels=num_labels, options=options)

    def forward(self, tokens: TokenVectors, mask: Tensor) -> Tensor:  # noqa: ARG002
        """Return the score of each label at each token, float (batch, tokens, labels).

        Args:
            tokens: The vectors of a text.
            mask: bool (batch, tokens). It is not used, because each token is scored by itself.
        """
        scores: Tensor = self.mlp(tokens.join_output(tokens.input))  # (batch, tokens, labels)
        return scores


class MlpClassifier(nn.Module):
    """An MLP on the pooled vectors of a text, or on those of both texts of a pair; see ``joined``.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that other heads join to the output of their encoder; 0 for none.
        num_labels: The number of labels.
        options: The sizes of the hidden layers, and the pooling.
        pair: Whether an example is a pair of texts.
    """

    def __init__(
        self, *, input_dim: int, output_dim: int, num_labels: int, options: PooledMlpOptions, pair: bool = False
    ) -> None:
        super().__init__()
        self.pool = {"max": max_pool, "mean": mean_pool}[options.pooling]
        width = joined_width(input_dim + output_dim, pair=pair)
        self.mlp = Mlp(input_dim=width, num_labels=num_labels, options=options)

    def forward(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label, float (batch, labels).

        Args:
            vectors: The token vectors of each text.
            batch: The examples.
        """
        scores: Tensor = self.mlp(pooled_texts(self.pool, vectors, batch))  # (batch, labels)
        return scores
