"""A head that labels each token, around a network that scores the labels."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from harness.nn.masking import lengths_of_mask
from harness.types import Batch, Prediction, TokenVectors
from tasks.common.label_scores import IGNORED, gold_nats


class TokenClassifier(nn.Module):
    """A head that gives each token the label with the highest score.

    Args:
        network: The network. It maps the ``TokenVectors`` of a text and its mask to the score of each label at each
            token, float (batch, tokens, labels).
        labels: The labels, in the order of the scores.
    """

    def __init__(self, *, network: nn.Module, labels: Sequence[str]) -> None:
        super().__init__()
        self.network, self.labels = network, tuple(labels)

    def scores(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label at each token, float (batch, tokens, labels).

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: The sentences.
        """
        scores: Tensor = self.network(vectors["tokens"], batch.masks["tokens"])  # (batch, tokens, labels)
        return scores

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the cross-entropy, averaged over the tokens of the batch.

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: The sentences with gold ``labels``, int64 (batch, tokens), ``IGNORED`` at padding.
        """
        scores = self.scores(vectors, batch)  # (batch, tokens, labels)
        return F.cross_entropy(scores.flatten(0, 1), batch.gold["labels"].flatten(), ignore_index=IGNORED)

    def label_nats(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return ``-ln p`` of the gold label of each token, and where there is one; see ``gold_nats``.

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: As in ``loss``.
        """
        return gold_nats(self.scores(vectors, batch), batch.gold["labels"])

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return one label per token for each row; the scores are the probabilities of these labels, (tokens,).

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: The sentences.
        """
        scores = self.scores(vectors, batch)  # (batch, tokens, labels)
        lengths = lengths_of_mask(batch.masks["tokens"]).tolist()  # (batch,)
        rows = zip(
            batch.examples, scores.argmax(dim=2).tolist(), scores.softmax(dim=2).amax(dim=2).cpu(), lengths, strict=True
        )
        return [
            Prediction(id=example.id, value=tuple(self.labels[i] for i in best[:length]), scores=row[:length])
            for example, best, row, length in rows
        ]
