"""A head that labels each example, around a network that scores the labels."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from harness.types import Batch, Prediction, TokenVectors


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

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return one label for each row; the scores are the probabilities of all labels, (labels,).

        Args:
            vectors: The token vectors of each text field.
            batch: The examples.
        """
        scores = self.network(vectors, batch)  # (batch, labels)
        rows = zip(batch.examples, scores.argmax(dim=1).tolist(), scores.softmax(dim=1).cpu(), strict=True)
        return [Prediction(id=example.id, value=self.labels[best], scores=row) for example, best, row in rows]
