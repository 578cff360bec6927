"""ESIM, the enhanced sequential inference model.

Source: Chen et al. 2017 (arXiv 1609.06038), section 3, without the tree model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.config.bounds import Dropout, Positive
from harness.nn.attention import dot_product, masked_softmax
from harness.nn.dropout import VariationalDropout
from harness.nn.pooling import max_pool, mean_pool
from harness.nn.recurrent import BiLstm
from harness.types import Batch, TokenVectors
from tasks.common.heads.text_classifier import PAIR


@dataclass(frozen=True, kw_only=True)
class EsimOptions:
    """Sizes of ESIM.

    Args:
        hidden_dim: The number of cells of both BiLSTMs in each direction, and the width of the layers between them.
        dropout: The dropout on the inputs of both BiLSTMs and in the classifier.
        attention_dropout: The dropout on the compared vectors, before they are projected.
    """

    hidden_dim: Positive = 100
    dropout: Dropout = 0.2
    attention_dropout: Dropout = 0.0


class Esim(nn.Module):
    """Encode both texts, align them by attention, compare, encode again, pool and classify.

    Both texts go through the same two BiLSTMs. Dropout on the inputs of a BiLSTM drops the same dimensions at every
    token of a text.

    Args:
        input_dim: The width of the token vectors.
        output_dim: The width of the vectors that are joined to the output of the first BiLSTM; 0 for none.
        num_labels: The number of labels.
        hidden_dim: The number of cells of both BiLSTMs in each direction, and the width of the layers between them.
        dropout: The dropout on the inputs of both BiLSTMs and in the classifier, in [0, 1).
        attention_dropout: The dropout on the compared vectors, before they are projected, in [0, 1).

    Source: Chen et al. 2017, section 3; sizes and dropout of AllenNLP's ``esim``; ``attention_dropout`` of Peters et
        al. 2018, supplement A.3.
    """

    def __init__(
        self,
        *,
        input_dim: int,
        output_dim: int,
        num_labels: int,
        hidden_dim: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.input_dropout = VariationalDropout(dropout=dropout)
        self.encoder = BiLstm(input_dim=input_dim, hidden_dim=hidden_dim)
        self.attention_dropout = nn.Dropout(attention_dropout)
        self.projection = nn.Linear(4 * (self.encoder.output_dim + output_dim), hidden_dim)
        self.composition = BiLstm(input_dim=hidden_dim, hidden_dim=hidden_dim)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(4 * self.composition.output_dim, hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, num_labels),
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label, float (batch, labels).

        Args:
            vectors: The token vectors of the texts ``premise`` and ``hypothesis``.
            batch: The pairs.
        """
        masks = [batch.masks[text] for text in PAIR]  # (batch, tokens) each
        encoded = self._encode(self.encoder, [vectors[text].input for text in PAIR], masks)
        joined = [
            vectors[text].join_output(states) for text, states in zip(PAIR, encoded, strict=True)
        ]  # (batch, tokens, 2 * hidden_dim + output_dim) each
        aligned = align(*joined, *masks)
        compared = [
            self.attention_dropout(compare(own, other)) for own, other in zip(joined, aligned, strict=True)
        ]  # (batch, tokens, 4 * (2 * hidden_dim + output_dim)) each
        projected = [F.relu(self.projection(one)) for one in compared]  # (batch, tokens, hidden_dim) each
        composed = self._encode(self.composition, projected, masks)
        pooled = [
            pool(states, mask) for states, mask in zip(composed, masks, strict=True) for pool in (mean_pool, max_pool)
        ]  # (batch, 2 * hidden_dim) each
        scores: Tensor = self.classifier(torch.cat(pooled, dim=1))  # (batch, labels)
        return scores

    def _encode(self, lstm: BiLstm, vectors: Sequence[Tensor], masks: Sequence[Tensor]) -> list[Tensor]:
        """Run both texts through one BiLSTM in one call, which is faster than two calls."""
        tokens = max(mask.shape[1] for mask in masks)
        rows = torch.cat([F.pad(one, (0, 0, 0, tokens - one.shape[1])) for one in vectors])  # (2 * batch, tokens, dim)
        mask = torch.cat([F.pad(one, (0, tokens - one.shape[1])) for one in masks])  # (2 * batch, tokens)
        states = lstm(self.input_dropout(rows), mask).chunk(2)  # (batch, tokens, 2 * hidden_dim) each
        return [one[:, : mask.shape[1]] for one, mask in zip(states, masks, strict=True)]


def align(premise: Tensor, hypothesis: Tensor, premise_mask: Tensor, hypothesis_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return, for every token of either text, the attention-weighted sum of the other text's tokens.

    Args:
        premise: The tokens of the premise, float (batch, premise tokens, dim).
        hypothesis: The tokens of the hypothesis, float (batch, hypothesis tokens, dim).
        premise_mask: The mask of the premise, bool (batch, premise tokens).
        hypothesis_mask: The mask of the hypothesis, bool (batch, hypothesis tokens).

    Returns:
        For the tokens of the premise, float (batch, premise tokens, dim), and for the tokens of the hypothesis,
        float (batch, hypothesis tokens, dim).

    Source: Chen et al. 2017, equations 11 to 13.
    """
    scores = dot_product(premise, hypothesis)  # (batch, premise tokens, hypothesis tokens)
    to_hypothesis = masked_softmax(scores, hypothesis_mask.unsqueeze(1), dim=2)
    to_premise = masked_softmax(scores, premise_mask.unsqueeze(2), dim=1)
    return to_hypothesis @ hypothesis, to_premise.transpose(1, 2) @ premise


def compare(own: Tensor, other: Tensor) -> Tensor:
    """Return ``[own; other; own - other; own * other]``, float (batch, tokens, 4 * dim).

    Args:
        own: The tokens of one text, float (batch, tokens, dim).
        other: What each of these tokens is aligned to, float (batch, tokens, dim).

    Source: Chen et al. 2017, equations 14 and 15.
    """
    return torch.cat([own, other, own - other, own * other], dim=2)
