"""Natural language inference: does the hypothesis follow from the premise? ESIM, scored by accuracy.

Source: Bowman et al. 2015 (the data); Chen et al. 2017 (the head); Peters et al. 2018, section 4 and supplement A.3.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.config.instantiate import check_dropout
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.nn.attention import dot_product, masked_softmax
from harness.nn.dropout import VariationalDropout
from harness.nn.masking import mask_of_sentences
from harness.nn.pooling import max_pool, mean_pool
from harness.nn.recurrent import BiLstm
from harness.types import SPLITS, Batch, Example, Metrics, Prediction, Split, TokenVectors
from tasks.common.english_words import words
from tasks.common.label_scores import label_counts, mean_of_counts, score_labels
from tasks.common.official import data_name, official_rows
from tasks.snli import sample
from tasks.snli.reader import LABELS, SentencePair, pairs_of_rows, read_pairs

TEXTS = ("premise", "hypothesis")
_LABEL_IDS = {label: i for i, label in enumerate(LABELS)}


@dataclass(frozen=True, kw_only=True)
class EsimOptions:
    """Sizes of the head; see ``Esim``."""

    hidden_dim: int = 100
    dropout: float = 0.2
    attention_dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class NaturalLanguageInference:
    """Natural language inference: entailment, neutral or contradiction.

    Args:
        data: files of SNLI, SNLI from the hub, or the project's sample.
        head: sizes of ESIM.
    """

    name: ClassVar[str] = "snli"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "accuracy"

    data: DataConfig
    head: EsimOptions = EsimOptions()

    @property
    def data_name(self) -> str:
        """``sample``, the published data set, or the folder that the training file lies in."""
        return data_name(self.data, "snli")

    def examples(self, split: Split) -> Sequence[Example]:
        """Return a split; an example's target is its label."""
        return self._splits[split]

    @cached_property
    def _splits(self) -> dict[Split, tuple[Example, ...]]:
        return {split: to_examples(self._pairs(split), split) for split in SPLITS}

    def _pairs(self, split: Split) -> list[SentencePair]:
        if self.data.source == "sample":
            return sample.pairs(split)
        if self.data.source == "official":
            rows = official_rows("snli", split, cache_dir=self.data.cache_dir)
            return pairs_of_rows(rows, f"{self.data_name}, {split}")
        return read_pairs(self.data.path(split))

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples; gold ``labels`` are int64 (batch,)."""
        masks = {
            text: mask_of_sentences(example.texts[text] for example in examples) for text in TEXTS
        }  # (batch, tokens) each
        gold = {}
        if all(example.target is not None for example in examples):
            gold["labels"] = torch.tensor([_LABEL_IDS[example.target] for example in examples])  # (batch,)
        return Batch(examples=tuple(examples), masks=masks, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> "Esim":
        """Return an untrained ESIM."""
        return Esim(
            input_dim=input_dim,
            output_dim=output_dim,
            hidden_dim=self.head.hidden_dim,
            dropout=self.head.dropout,
            attention_dropout=self.head.attention_dropout,
        )

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score labels; see ``score_labels``."""
        return Metrics(score_labels([e.target for e in gold], [p.value for p in predictions], LABELS))

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Count right answers and pairs, float64 (pairs, 2)."""
        return label_counts(gold, predictions)

    def score_of_counts(self, sums: Tensor) -> Tensor:
        """Return the accuracy."""
        return mean_of_counts(sums)


def to_examples(pairs: Iterable[SentencePair], split: Split) -> tuple[Example, ...]:
    """Split the sentences of labelled pairs into words.

    An example goes by the data set's own id where every pair has one of its own, else by its place.
    """
    pairs = list(pairs)
    own_ids = len({pair.id for pair in pairs if pair.id}) == len(pairs)
    split_once = lru_cache(maxsize=1 << 10)(words)  # the pairs of one premise stand together
    return tuple(
        Example(
            id=pair.id if own_ids else f"{split}-{i}",
            texts={"premise": split_once(pair.premise), "hypothesis": words(pair.hypothesis)},
            target=pair.label,
        )
        for i, pair in enumerate(pairs)
    )


class Esim(nn.Module):
    """Both texts through one BiLSTM, aligned by attention, compared, through a second BiLSTM, pooled, classified.

    Args:
        input_dim: width of the token vectors.
        output_dim: width of the vectors that join the first BiLSTM's output, 0 for none.
        hidden_dim: cells of both BiLSTMs, a direction, and width of the layers in between.
        dropout: on the inputs of both BiLSTMs, the same at every token of a text, and in the classifier.
        attention_dropout: on the compared vectors, before they are projected.

    Raises:
        ConfigError: a value is out of range.

    Source: Chen et al. 2017 (arXiv 1609.06038), section 3, without the tree model; sizes and dropout as in AllenNLP's
    ``esim`` and, for ``attention_dropout``, Peters et al. 2018, supplement A.3.
    """

    def __init__(
        self, *, input_dim: int, output_dim: int, hidden_dim: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        check_dropout("task.head.dropout", dropout)
        check_dropout("task.head.attention_dropout", attention_dropout)
        if hidden_dim < 1:
            raise ConfigError(f"task.head.hidden_dim is {hidden_dim}; expected 1 or more")
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
            nn.Linear(hidden_dim, len(LABELS)),
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def logits(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the score of each label, (batch, labels)."""
        masks = [batch.masks[text] for text in TEXTS]  # (batch, tokens) each
        encoded = self._through(self.encoder, [vectors[text].input for text in TEXTS], masks)
        joined = [
            states if output is None else torch.cat([states, output], dim=2)
            for states, output in zip(encoded, (vectors[text].output for text in TEXTS), strict=True)
        ]  # (batch, tokens, 2 * hidden_dim + output_dim) each
        aligned = align(*joined, *masks)
        compared = [
            self.attention_dropout(compare(own, other)) for own, other in zip(joined, aligned, strict=True)
        ]  # (batch, tokens, 4 * (2 * hidden_dim + output_dim)) each
        projected = [F.relu(self.projection(one)) for one in compared]  # (batch, tokens, hidden_dim) each
        composed = self._through(self.composition, projected, masks)
        pooled = [
            pool(states, mask) for states, mask in zip(composed, masks, strict=True) for pool in (mean_pool, max_pool)
        ]  # (batch, 2 * hidden_dim) each
        logits: Tensor = self.classifier(torch.cat(pooled, dim=1))  # (batch, labels)
        return logits

    def _through(self, lstm: BiLstm, vectors: Sequence[Tensor], masks: Sequence[Tensor]) -> list[Tensor]:
        """Run both texts through one BiLSTM in one call, which is faster than two."""
        tokens = max(mask.shape[1] for mask in masks)
        rows = torch.cat([F.pad(one, (0, 0, 0, tokens - one.shape[1])) for one in vectors])  # (2 * batch, tokens, dim)
        mask = torch.cat([F.pad(one, (0, tokens - one.shape[1])) for one in masks])  # (2 * batch, tokens)
        states = lstm(self.input_dropout(rows), mask).chunk(2)  # (batch, tokens, 2 * hidden_dim) each
        return [one[:, : mask.shape[1]] for one, mask in zip(states, masks, strict=True)]

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the cross-entropy, averaged over the batch."""
        return F.cross_entropy(self.logits(vectors, batch), batch.gold["labels"])

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the label of the highest score of each row."""
        best = self.logits(vectors, batch).argmax(dim=1).tolist()
        return [Prediction(id=example.id, value=LABELS[i]) for example, i in zip(batch.examples, best, strict=True)]


def align(premise: Tensor, hypothesis: Tensor, premise_mask: Tensor, hypothesis_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sum up, for every token of either text, the tokens of the other that it resembles.

    Args:
        premise: float (batch, premise tokens, dim).
        hypothesis: float (batch, hypothesis tokens, dim).
        premise_mask, hypothesis_mask: bool (batch, tokens) each.

    Returns:
        what the premise's tokens see of the hypothesis, (batch, premise tokens, dim), and what the
        hypothesis's see of the premise, (batch, hypothesis tokens, dim).

    Source: Chen et al. 2017, equations 11 to 13.
    """
    scores = dot_product(premise, hypothesis)  # (batch, premise tokens, hypothesis tokens)
    to_hypothesis = masked_softmax(scores, hypothesis_mask.unsqueeze(1), dim=2)
    to_premise = masked_softmax(scores, premise_mask.unsqueeze(2), dim=1)
    return to_hypothesis @ hypothesis, to_premise.transpose(1, 2) @ premise


def compare(own: Tensor, other: Tensor) -> Tensor:
    """Return ``[own; other; own - other; own * other]``, float (batch, tokens, 4 * dim).

    Source: Chen et al. 2017, equations 14 and 15.
    """
    return torch.cat([own, other, own - other, own * other], dim=2)
