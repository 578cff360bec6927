"""A head that labels each example, around a network that scores the labels."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.types import Batch, Prediction, TokenVectors
from tasks.common.label_scores import gold_nats

PAIR = ("premise", "hypothesis")  # the names of the texts of an example that is a pair


class TextClassifier(nn.Module):
    """A head that gives each example the label with the highest score.

    Args:
        network: The network. It maps the token vectors and the batch to the score of each label, (batch, labels).
        labels: The labels, in the order of the scores.
    """

    def __init__(self, *, network: nn.Module, labels: Sequence[str]) -> None:
        super().__init__()
        self.network, self.labels = network, tuple(labels)

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the cross-entropy, averaged over the batch.

        Args:
            vectors: The token vectors of each text field.
            batch: The examples with gold ``labels``, int64 (batch,).
        """
        return F.cross_entropy(self.network(vectors, batch), batch.gold["labels"])

    def label_nats(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return ``-ln p`` of the gold label of each example, and whether it has one, (batch, 1); see ``gold_nats``.

        Args:
            vectors: The token vectors of each text field.
            batch: As in ``loss``.
        """
        return gold_nats(self.network(vectors, batch).unsqueeze(1), batch.gold["labels"].unsqueeze(1))

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return one label for each row; the scores are the probabilities of all labels, (labels,).

        Args:
            vectors: The token vectors of each text field.
            batch: The examples.
        """
        scores = self.network(vectors, batch)  # (batch, labels)
        rows = zip(batch.examples, scores.argmax(dim=1).tolist(), scores.softmax(dim=1).cpu(), strict=True)
        return [Prediction(id=example.id, value=self.labels[best], scores=row) for example, best, row in rows]


def joined(texts: Sequence[Tensor]) -> Tensor:
    """Return one vector for each example from the vectors of its texts.

    Args:
        texts: The vectors u of the only text, or u and v of both texts of a pair, float (batch, dim) each.

    Returns:
        u, or ``[u; v; |u - v|; u * v]``, float (batch, ``joined_width(dim, pair=...)``).

    Source: Conneau et al. 2017 (InferSent, arXiv 1705.02364), section 3.1.
    """
    if len(texts) == 1:
        return texts[0]
    u, v = texts
    return torch.cat([u, v, (u - v).abs(), u * v], dim=1)  # (batch, 4 * dim)


def pooled_texts(pool: Callable[[Tensor, Tensor], Tensor], vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
    """Return one vector for each example for a probe, which has no encoder: the joined texts, each pooled by itself.

    Args:
        pool: A function from vectors (batch, tokens, dim) and their mask to (batch, dim).
        vectors: The token vectors of each text.
        batch: The examples.
    """
    return joined(
        [pool(vectors[text].join_output(vectors[text].input), mask) for text, mask in batch.masks.items()]
    )  # (batch, ``joined_width(input_dim + output_dim, pair=...)``)


def joined_width(dim: int, *, pair: bool) -> int:
    """Return the width of the vector from ``joined``.

    Args:
        dim: The width of the vector of one text.
        pair: Whether an example is a pair of texts.
    """
    return 4 * dim if pair else dim
