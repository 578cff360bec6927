"""A linear probe of whole texts: what the pooled vectors alone tell about the label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from harness.nn.pooling import max_pool, mean_pool
from harness.types import Batch, TokenVectors
from tasks.common.heads.text_classifier import joined_width, pooled_texts


@dataclass(frozen=True, kw_only=True)
class LinearOptions:
    """Options of the linear probe.

    Args:
        pooling: How the vectors of all tokens become one vector.
    """

    pooling: Literal["mean", "max"] = "mean"


class LinearClassifier(nn.Module):
    """One linear layer on the pooled vectors of a text, or on those of both texts of a pair; see ``joined``.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that other heads join to the output of their encoder; 0 for none. A probe
            has no encoder, so it joins them to the token vectors.
        num_labels: The number of labels.
        pooling: How the vectors of all tokens become one vector.
        pair: Whether an example is a pair of texts.
    """

    def __init__(
        self, *, input_dim: int, output_dim: int, num_labels: int, pooling: Literal["mean", "max"], pair: bool = False
    ) -> None:
        super().__init__()
        self.pool = {"max": max_pool, "mean": mean_pool}[pooling]
        self.output = nn.Linear(joined_width(input_dim + output_dim, pair=pair), num_labels)

    def forward(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label, float (batch, labels).

        Args:
            vectors: The token vectors of each text.
            batch: The examples.
        """
        scores: Tensor = self.output(pooled_texts(self.pool, vectors, batch))  # (batch, labels)
        return scores
