"""A head that labels the tokens of a sentence with their roles for one predicate.

Source: He et al. 2017, "Deep Semantic Role Labeling: What Works and What's Next"; Peters et al. 2018, section 4.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.nn.highway_lstm import HighwayLstm
from harness.nn.recurrent import BiLstm
from harness.types import Batch, Prediction, TokenVectors
from tasks.common.bio_decoding import best_bio
from tasks.common.label_scores import IGNORED


class RoleLabeller(nn.Module):
    """Token vectors and predicate indicator -> recurrent network -> linear -> softmax for each token.

    The indicator is a vector that says whether a token is the predicate. The tags are learned independently of each
    other; a prediction is the most probable sequence that BIO allows.

    Args:
        encoder: The recurrent network. Its input has the width of the token vectors plus ``predicate_dim``.
        labels: The BIO tags, in the order of the scores.
        predicate_dim: The width of the indicator.
        output_dim: The width of the vectors that are joined to the output of the network; 0 for none.
        dropout: The dropout on the input and on the output of the network, in [0, 1).
    """

    def __init__(
        self,
        *,
        encoder: HighwayLstm | BiLstm,
        labels: Sequence[str],
        predicate_dim: int,
        output_dim: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.labels, self.encoder, self.dropout = tuple(labels), encoder, nn.Dropout(dropout)
        self.indicator = nn.Embedding(2, predicate_dim)  # 0: another token, 1: the predicate
        nn.init.xavier_uniform_(self.indicator.weight)
        self.to_tags = nn.Linear(encoder.output_dim + output_dim, len(labels))
        nn.init.orthogonal_(self.to_tags.weight)
        nn.init.zeros_(self.to_tags.bias)

    def scores(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the log-probability of each tag at each token, float (batch, tokens, tags).

        Args:
            vectors: The token vectors of the text ``tokens``.
            batch: The sentences, with the input ``predicates``, int64 (batch, tokens), 1 at the predicate.
        """
        tokens, mask = vectors["tokens"], batch.masks["tokens"]
        indicator = self.indicator(batch.inputs["predicates"])  # (batch, tokens, predicate_dim)
        entered = torch.cat(
            [self.dropout(tokens.input), indicator], dim=2
        )  # (batch, tokens, input_dim + predicate_dim)
        encoded = tokens.join_output(self.encoder(entered, mask))  # (batch, tokens, encoder.output_dim + output_dim)
        return cast(Tensor, self.to_tags(self.dropout(encoded))).log_softmax(dim=2)  # (batch, tokens, tags)

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the cross-entropy, averaged over the tokens of each sentence and then over the sentences.

        Args:
            vectors: As in ``scores``.
            batch: As in ``scores``, with gold ``labels``, int64 (batch, tokens), ``IGNORED`` at padding.

        Source: AllenNLP's ``sequence_cross_entropy_with_logits``.
        """
        gold, scores = batch.gold["labels"], self.scores(vectors, batch)  # (batch, tokens), (batch, tokens, tags)
        losses = F.nll_loss(scores.flatten(0, 1), gold.flatten(), ignore_index=IGNORED, reduction="none")
        losses = losses.view_as(gold)  # (batch, tokens)
        lengths = (gold != IGNORED).sum(dim=1)  # (batch,)
        return (losses.sum(dim=1) / lengths.clamp(min=1)).sum() / (lengths > 0).sum().clamp(min=1)

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the BIO tags of each row; the scores are the probabilities of these tags, (tokens,).

        Args:
            vectors: As in ``scores``.
            batch: As in ``scores``.
        """
        scores = self.scores(vectors, batch)  # (batch, tokens, tags)
        paths = best_bio(scores, batch.masks["tokens"], self.labels)
        predictions = []
        for example, row, path in zip(batch.examples, scores.cpu(), paths, strict=True):
            tags = torch.tensor(path, dtype=torch.int64).unsqueeze(1)  # (tokens, 1)
            probabilities = row[: len(path)].gather(1, tags).squeeze(1).exp()  # (tokens,)
            value = tuple(self.labels[tag] for tag in path)
            predictions.append(Prediction(id=example.id, value=value, scores=probabilities))
        return predictions
