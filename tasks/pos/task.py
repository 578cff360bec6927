"""Part-of-speech tagging: a linear probe or a BiLSTM tagger, scored by accuracy over tokens.

Source: Peters et al. 2018, section 5.3: what a layer knows of syntax, asked by a linear classifier.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.config.instantiate import check_bounds
from harness.config.schema import DataConfig
from harness.nn.masking import lengths_of_mask, mask_of_sentences
from harness.nn.recurrent import BiLstm
from harness.types import SPLITS, Batch, Example, Metrics, Prediction, Split, TokenVectors
from tasks.common.label_scores import mean_of_counts, score_labels
from tasks.common.official import data_name, official_file
from tasks.pos import sample
from tasks.pos.reader import Tagset, read_conllu

log = logging.getLogger(__name__)

IGNORED = -100  # gold of padding, and of a tag that training has not: the loss skips it


@dataclass(frozen=True, kw_only=True)
class BiLstmOptions:
    """Sizes of the BiLSTM tagger; see ``BiLstmTagger``."""

    hidden_dim: int = 200
    num_layers: int = 1
    dropout: float = 0.5


@dataclass(frozen=True, kw_only=True)
class PosTagging:
    """Part-of-speech tagging: one label a token; accuracy over tokens.

    Args:
        data: CoNLL-U files, English EWT from its owners, or the project's sample.
        tagset: universal tags, or those of the language.
        head: ``linear``, which shows what the vectors themselves hold, or ``bilstm``.
        bilstm: sizes of that head.
    """

    name: ClassVar[str] = "pos"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "accuracy"

    data: DataConfig
    tagset: Tagset = "upos"
    head: Literal["linear", "bilstm"] = "linear"
    bilstm: BiLstmOptions = BiLstmOptions()

    @property
    def data_name(self) -> str:
        """``sample``, the published data set, or the folder that the training file lies in."""
        return data_name(self.data, "ewt")

    def examples(self, split: Split) -> Sequence[Example]:
        """Return a split; an example's target is one tag a token."""
        return self._splits[split]

    @cached_property
    def _splits(self) -> dict[Split, tuple[Example, ...]]:
        return {split: self._read(split) for split in SPLITS}

    def _read(self, split: Split) -> tuple[Example, ...]:
        if self.data.source == "sample":
            pairs = sample.tagged(split, self.tagset)
        elif self.data.source == "official":
            pairs = read_conllu(official_file("ewt", split, cache_dir=self.data.cache_dir), self.tagset)
        else:
            pairs = read_conllu(self.data.path(split), self.tagset)
        return tuple(
            Example(id=f"{split}-{i}", texts={"tokens": tokens}, target=tags) for i, (tokens, tags) in enumerate(pairs)
        )

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The tags of the training data; a head can give no other."""
        labels = {tag for example in self._splits["train"] for tag in example.target}
        for split in SPLITS[1:]:
            unseen = [tag for e in self._splits[split] for tag in e.target if tag not in labels]
            if unseen:
                log.warning(
                    "%s: %d tokens have a tag that training has not (%s); they count as errors",
                    split,
                    len(unseen),
                    ", ".join(sorted(set(unseen))),
                )
        return tuple(sorted(labels))

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples; gold ``tags`` are int64 (batch, tokens), ``IGNORED`` at padded places."""
        mask = mask_of_sentences(example.texts["tokens"] for example in examples)  # (batch, tokens)
        gold = {}
        if all(example.target is not None for example in examples):
            tags = torch.full(mask.shape, IGNORED)  # (batch, tokens)
            for row, example in zip(tags, examples, strict=True):
                ids = [self._label_ids.get(tag, IGNORED) for tag in example.target]
                row[: len(ids)] = torch.tensor(ids)
            gold["tags"] = tags
        return Batch(examples=tuple(examples), masks={"tokens": mask}, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> "TokenClassifier":
        """Return an untrained tagger."""
        network: nn.Module
        if self.head == "linear":
            network = LinearProbe(input_dim=input_dim, output_dim=output_dim, num_labels=len(self.labels))
        else:
            network = BiLstmTagger(
                input_dim=input_dim,
                output_dim=output_dim,
                num_labels=len(self.labels),
                hidden_dim=self.bilstm.hidden_dim,
                num_layers=self.bilstm.num_layers,
                dropout=self.bilstm.dropout,
            )
        return TokenClassifier(network=network, labels=self.labels)

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score all tokens together; see ``score_labels``.

        There is no confusion matrix, which would be 17 x 17 numbers in every epoch, and 50 x 50 with ``xpos``.
        """
        expected = list(chain.from_iterable(example.target for example in gold))
        found = list(chain.from_iterable(prediction.value for prediction in predictions))
        labels = sorted({*self.labels, *expected})
        return Metrics(score_labels(expected, found, labels, confusion=False))

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Count the right tokens and all tokens of each sentence; float64 (sentences, 2)."""
        pairs = [(e.target, p.value) for e, p in zip(gold, predictions, strict=True)]
        counts = [[sum(a == b for a, b in zip(*pair, strict=True)), len(pair[0])] for pair in pairs]
        return torch.tensor(counts, dtype=torch.float64)

    def score_of_counts(self, sums: Tensor) -> Tensor:
        """Return the accuracy."""
        return mean_of_counts(sums)


class TokenClassifier(nn.Module):
    """A head that gives each token the label that its network scores highest.

    Args:
        network: maps the vectors of a text and its mask to a score of each label, (batch, tokens, labels).
        labels: the labels, in the order of the scores.
    """

    def __init__(self, *, network: nn.Module, labels: Sequence[str]) -> None:
        super().__init__()
        self.network, self.labels = network, tuple(labels)

    def scores(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return (batch, tokens, labels)."""
        scores: Tensor = self.network(vectors["tokens"], batch.masks["tokens"])  # (batch, tokens, labels)
        return scores

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the cross-entropy, averaged over the batch's tokens."""
        scores = self.scores(vectors, batch)  # (batch, tokens, labels)
        return F.cross_entropy(scores.flatten(0, 1), batch.gold["tags"].flatten(), ignore_index=IGNORED)

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return a label a token of each row."""
        best = self.scores(vectors, batch).argmax(dim=2).tolist()  # (batch, tokens)
        lengths = lengths_of_mask(batch.masks["tokens"]).tolist()  # (batch,)
        return [
            Prediction(id=example.id, value=tuple(self.labels[i] for i in row[:length]))
            for example, row, length in zip(batch.examples, best, lengths, strict=True)
        ]


class LinearProbe(nn.Module):
    """One linear layer on each token's vector, and nothing else: no context, no dropout of its own.

    Args:
        input_dim: width of the token vectors.
        output_dim: width of the vectors that a head with an encoder joins to its output, 0 for none; a probe has
            no encoder, and reads both alike.
        num_labels: number of labels.

    Source: Peters et al. 2018, section 5.3.
    """

    def __init__(self, *, input_dim: int, output_dim: int, num_labels: int) -> None:
        super().__init__()
        self.to_labels = nn.Linear(input_dim + output_dim, num_labels)

    def forward(self, tokens: TokenVectors, mask: Tensor) -> Tensor:  # noqa: ARG002
        """Return (batch, tokens, labels)."""
        scores: Tensor = self.to_labels(_joined(tokens.input, tokens.output))  # (batch, tokens, labels)
        return scores


class BiLstmTagger(nn.Module):
    """Token vectors -> BiLSTM -> linear.

    Args:
        input_dim: width of the token vectors.
        output_dim: width of the vectors that join the BiLSTM's output, 0 for none.
        num_labels: number of labels.
        hidden_dim: cells of the BiLSTM, a direction.
        num_layers: layers of the BiLSTM.
        dropout: on the BiLSTM's input, between its layers, and on its output.

    Raises:
        ConfigError: a size or the dropout is out of range.
    """

    def __init__(
        self, *, input_dim: int, output_dim: int, num_labels: int, hidden_dim: int, num_layers: int, dropout: float
    ) -> None:
        super().__init__()
        check_bounds(
            [
                ("task.bilstm.hidden_dim", hidden_dim, 1, float("inf")),
                ("task.bilstm.num_layers", num_layers, 1, float("inf")),
                ("task.bilstm.dropout", dropout, 0, 1 - 1e-9),
            ]
        )
        self.dropout = nn.Dropout(dropout)
        self.encoder = BiLstm(input_dim=input_dim, hidden_dim=hidden_dim, num_layers=num_layers, dropout=dropout)
        self.to_labels = nn.Linear(self.encoder.output_dim + output_dim, num_labels)

    def forward(self, tokens: TokenVectors, mask: Tensor) -> Tensor:
        """Return (batch, tokens, labels)."""
        encoded = self.encoder(self.dropout(tokens.input), mask)  # (batch, tokens, 2 * hidden_dim)
        scores: Tensor = self.to_labels(self.dropout(_joined(encoded, tokens.output)))  # (batch, tokens, labels)
        return scores


def _joined(vectors: Tensor, output: Tensor | None) -> Tensor:
    """Join the output mix, where there is one, to (batch, tokens, dim)."""
    return vectors if output is None else torch.cat([vectors, output], dim=2)  # (batch, tokens, dim + output_dim)
