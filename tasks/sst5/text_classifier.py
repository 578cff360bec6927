"""The part that the heads of sentence classification share: from scores of labels to a loss and to predictions."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from harness.types import Batch, Prediction, TokenVectors


class TextClassifier(nn.Module):
    """A head that predicts the label with the highest score of its network.

    Args:
        network: A module that maps the vectors of a text and its mask to the scores of the labels, (batch, labels).
        labels: The labels, in the order of the scores.
    """

    def __init__(self, *, network: nn.Module, labels: Sequence[str]) -> None:
        super().__init__()
        self.network, self.labels = network, tuple(labels)

    def scores(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label before the softmax, float (batch, labels).

        Args:
            vectors: The token vectors of the text field ``tokens``.
            batch: The batch with the mask of that field.
        """
        scores: Tensor = self.network(vectors["tokens"], batch.masks["tokens"])  # (batch, labels)
        return scores

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the cross-entropy, averaged over the batch.

        Args:
            vectors: The token vectors of the text field ``tokens``.
            batch: The batch with gold ``labels``, int64 (batch,).
        """
        return F.cross_entropy(self.scores(vectors, batch), batch.gold["labels"])

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the label with the highest score for each row.

        Args:
            vectors: The token vectors of the text field ``tokens``.
            batch: The batch with the mask of that field.
        """
        best = self.scores(vectors, batch).argmax(dim=1).tolist()
        return [
            Prediction(id=example.id, value=self.labels[label])
            for example, label in zip(batch.examples, best, strict=True)
        ]
