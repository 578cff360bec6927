"""A head that predicts a span of the passage, around a network that scores each token as its start and as its end."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness.nn.spans import best_spans
from harness.types import Batch, Prediction, TokenVectors


class SpanHead(nn.Module):
    """A head that answers a question by the best span of the passage.

    Args:
        network: The network. It maps the token vectors and the batch to two scores of each token of the passage, as
            the start and as the end of the answer: float (batch, tokens) each.
        max_answer_tokens: The greatest number of tokens of an answer; None for no limit.
    """

    def __init__(self, *, network: nn.Module, max_answer_tokens: int | None) -> None:
        super().__init__()
        self.network, self.max_answer_tokens = network, max_answer_tokens

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the negative log-likelihood of start and end, averaged over the batch.

        Args:
            vectors: The token vectors of the texts ``passage`` and ``question``.
            batch: The questions with gold ``span``, int64 (batch, 2): the first and the last token of the answer.
        """
        starts, ends = self.network(vectors, batch)  # (batch, tokens) each
        return -_log_likelihood(starts, ends, batch.masks["passage"], batch.gold["span"]).mean()

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the best span of each row: its text in the passage, its first and its last token.

        The score of a prediction is the probability of the span.

        Args:
            vectors: The token vectors of the texts ``passage`` and ``question``.
            batch: The questions.
        """
        starts, ends = self.network(vectors, batch)  # (batch, tokens) each
        # Scores give the same spans as log-probabilities, which differ from them by one constant per row.
        mask = batch.masks["passage"]
        spans = best_spans(starts, ends, mask, max_tokens=self.max_answer_tokens)  # (batch, 2)
        scores = _log_likelihood(starts, ends, mask, spans).exp().tolist()  # (batch,)
        answers = [
            {"text": example.origin["passage"].text_of(first, last), "start": first, "end": last}
            for example, (first, last) in zip(batch.examples, spans.tolist(), strict=True)
        ]
        return [
            Prediction(id=example.id, value=answer, scores=score)
            for example, answer, score in zip(batch.examples, answers, scores, strict=True)
        ]


def _log_likelihood(starts: Tensor, ends: Tensor, mask: Tensor, span: Tensor) -> Tensor:
    """Return the log-probability of the span of each row, (batch,)."""
    first = _log_softmax(starts, mask).gather(1, span[:, :1])  # (batch, 1)
    last = _log_softmax(ends, mask).gather(1, span[:, 1:])  # (batch, 1)
    return (first + last).squeeze(1)


def _log_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Return log-probabilities over the unmasked tokens, (batch, tokens)."""
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).log_softmax(dim=1)
