"""Named-entity recognition: a BiLSTM-CRF tagger, scored by entity F1.

Source: Peters et al. 2018, section 4 and supplement A.7; sizes of AllenNLP's ``ner_elmo`` configuration.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from harness.config.instantiate import check_dropout
from harness.config.schema import DataConfig
from harness.errors import ConfigError, DataFormatError
from harness.nn.char_cnn import CharCnnWords, char_ids
from harness.nn.crf import ConditionalRandomField
from harness.nn.masking import mask_of_sentences
from harness.nn.recurrent import BiLstm
from harness.types import SPLITS, Batch, Example, Metrics, Prediction, Split, TokenVectors
from tasks.common.column_files import read_columns
from tasks.common.official import data_name, official_rows
from tasks.common.tag_schemes import TagScheme, all_tags, convert, detect, encode, file_spans, legal_transitions, spans
from tasks.ner import sample

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TaggerOptions:
    """Sizes of the tagger; see ``BiLstmCrf``."""

    hidden_dim: int = 200
    num_layers: int = 2
    dropout: float = 0.5
    char_dim: int = 16
    char_filters: int = 128
    char_width: int = 3


@dataclass(frozen=True, kw_only=True)
class NamedEntityRecognition:
    """Named-entity recognition: which spans of a sentence are names, and of what type.

    Args:
        data: column files (token first, tag last), CoNLL-2003 from the hub, or the project's sample.
        head: sizes of the tagger.
        scheme: tag scheme of the files; ``auto`` tells it from each file.
        train_scheme: tag scheme of the CRF.
    """

    name: ClassVar[str] = "ner"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "f1"

    data: DataConfig
    head: TaggerOptions = TaggerOptions()
    scheme: Literal["auto", "iob1", "bio", "iobes", "bioul"] = "auto"
    train_scheme: TagScheme = "bioul"

    @property
    def data_name(self) -> str:
        """``sample``, the published data set, or the folder that the training file lies in."""
        return data_name(self.data, "conll2003")

    def examples(self, split: Split) -> Sequence[Example]:
        """Return a split; an example's target is its tags, in BIO."""
        return self._splits[split]

    @cached_property
    def _splits(self) -> dict[Split, tuple[Example, ...]]:
        return {split: self._read(split) for split in SPLITS}

    def _read(self, split: Split) -> tuple[Example, ...]:
        if self.data.source == "sample":
            pairs = sample.sentences(split)
        elif self.data.source == "official":
            rows = official_rows("conll2003", split, cache_dir=self.data.cache_dir)
            pairs = [(tuple(row["tokens"]), tuple(row["tags"])) for row in rows]
        else:
            pairs = read_tagged(self.data.path(split), self.scheme)
        return tuple(
            Example(id=f"{split}-{i}", texts={"tokens": tokens}, target=tags) for i, (tokens, tags) in enumerate(pairs)
        )

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The CRF's tags: those of the entity types in the training data."""
        types = {tag[2:] for example in self._splits["train"] for tag in example.target if tag != "O"}
        return all_tags(types, self.train_scheme)

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples; gold ``tags`` are int64 (batch, tokens), 0 at padded places."""
        sentences = [example.texts["tokens"] for example in examples]
        mask = mask_of_sentences(sentences)  # (batch, tokens)
        inputs = {"chars": char_ids(sentences)} if self.head.char_filters else {}  # (batch, tokens, chars)
        gold = {}
        if all(example.target is not None for example in examples) and self._trainable(examples):
            tags = torch.zeros(mask.shape, dtype=torch.int64)  # (batch, tokens)
            for row, example in zip(tags, examples, strict=True):
                row[: len(example.target)] = torch.tensor(
                    [self._label_ids[tag] for tag in convert(example.target, "bio", self.train_scheme)]
                )
            gold["tags"] = tags
        return Batch(examples=tuple(examples), masks={"tokens": mask}, inputs=inputs, gold=gold)

    def _trainable(self, examples: Sequence[Example]) -> bool:
        """Whether every type is one of the training data's; dev and test may have others."""
        return all(tag == "O" or f"B-{tag[2:]}" in self._label_ids for e in examples for tag in e.target)

    def build_head(self, *, input_dim: int, output_dim: int) -> "BiLstmCrf":
        """Return an untrained tagger."""
        return BiLstmCrf(
            input_dim=input_dim,
            output_dim=output_dim,
            labels=self.labels,
            scheme=self.train_scheme,
            hidden_dim=self.head.hidden_dim,
            num_layers=self.head.num_layers,
            dropout=self.head.dropout,
            char_dim=self.head.char_dim,
            char_filters=self.head.char_filters,
            char_width=self.head.char_width,
        )

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score BIO tags; see ``score_tags``."""
        return Metrics(score_tags([list(e.target) for e in gold], [list(p.value) for p in predictions]))

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Count entities of each sentence: in both, in gold, predicted; float64 (sentences, 3)."""
        both = zip(gold, predictions, strict=True)
        # iob1 is read as conlleval reads, which is how the primary metric counts.
        pairs = [(set(spans(e.target, "iob1")), set(spans(p.value, "iob1"))) for e, p in both]
        return torch.tensor([[len(a & b), len(a), len(b)] for a, b in pairs], dtype=torch.float64)

    def score_of_counts(self, sums: Tensor) -> Tensor:
        """Return F1, 0 where there is no entity on either side."""
        return 2 * sums[..., 0] / (sums[..., 1] + sums[..., 2]).clamp(min=1)


class BiLstmCrf(nn.Module):
    """Token vectors and character CNN -> BiLSTM -> linear -> CRF.

    Args:
        input_dim: width of the token vectors.
        output_dim: width of the vectors that join the BiLSTM's output, 0 for none.
        labels: the CRF's tags.
        scheme: their scheme; the CRF decodes nothing that it does not allow.
        hidden_dim: cells of the BiLSTM, a direction.
        num_layers: layers of the BiLSTM.
        dropout: on the BiLSTM's input, between its layers, and on its output.
        char_dim, char_filters, char_width: the character CNN; no filters, no CNN.
    """

    def __init__(
        self,
        *,
        input_dim: int,
        output_dim: int,
        labels: Sequence[str],
        scheme: TagScheme,
        hidden_dim: int,
        num_layers: int,
        dropout: float,
        char_dim: int,
        char_filters: int,
        char_width: int,
    ) -> None:
        super().__init__()
        check_dropout("task.head.dropout", dropout)
        if min(hidden_dim, num_layers, char_dim, char_width) < 1 or char_filters < 0:
            raise ConfigError("task.head: hidden_dim, num_layers, char_dim and char_width must be 1 or more")
        self.labels, self.scheme = tuple(labels), scheme
        self.char_cnn = (
            CharCnnWords(char_dim=char_dim, filters=char_filters, width=char_width) if char_filters else None
        )
        self.dropout = nn.Dropout(dropout)
        self.encoder = BiLstm(
            input_dim=input_dim + char_filters, hidden_dim=hidden_dim, num_layers=num_layers, dropout=dropout
        )
        self.to_tags = nn.Linear(self.encoder.output_dim + output_dim, len(labels))
        allowed, start, end = legal_transitions(labels, scheme)
        self.crf = ConditionalRandomField(num_tags=len(labels), allowed=allowed, allowed_start=start, allowed_end=end)

    def emissions(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return (batch, tokens, tags)."""
        tokens, mask = vectors["tokens"], batch.masks["tokens"]
        parts = [tokens.input]  # (batch, tokens, input_dim)
        if self.char_cnn is not None:
            parts.append(self.char_cnn(batch.inputs["chars"]))  # (batch, tokens, char_filters)
        encoded = self.encoder(self.dropout(torch.cat(parts, dim=2)), mask)  # (batch, tokens, 2 * hidden_dim)
        if tokens.output is not None:
            encoded = torch.cat([encoded, tokens.output], dim=2)  # (batch, tokens, 2 * hidden_dim + output_dim)
        emissions: Tensor = self.to_tags(self.dropout(encoded))  # (batch, tokens, tags)
        return emissions

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the negative log-likelihood, summed over the batch as in AllenNLP."""
        mask = batch.masks["tokens"]
        return -self.crf.log_likelihood(self.emissions(vectors, batch), batch.gold["tags"], mask).sum()

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return the best legal tags of each row, in BIO."""
        paths = self.crf.viterbi(self.emissions(vectors, batch), batch.masks["tokens"])
        return [
            Prediction(id=example.id, value=convert([self.labels[tag] for tag in path], self.scheme, "bio"))
            for example, path in zip(batch.examples, paths, strict=True)
        ]


def read_tagged(path: Path, scheme: str = "auto") -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Read a column file; return tokens and tags in BIO.

    Args:
        path: the file.
        scheme: of its tags, or ``auto``.

    Raises:
        DataFormatError: naming file and line; also where there is no entity at all.
    """
    sentences = read_columns(path)
    found: TagScheme = detect(s.tags for s in sentences) if scheme == "auto" else scheme  # type: ignore[assignment]
    log.info("%s: %s sentences, tags in %s", path.name, f"{len(sentences):,}", found)
    tagged = []
    for sentence in sentences:
        spans = file_spans(sentence.tags, found, path=path, line=sentence.line)
        tagged.append((sentence.tokens, encode(spans, len(sentence.tokens), "bio")))
    if all(tag == "O" for _, tags in tagged for tag in tags):
        raise DataFormatError(
            f"{path}: no entity in {len(tagged)} sentences, so that F1 is undefined; the tag must be the last column"
        )
    return tagged


def score_tags(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Score BIO tags by entity: micro precision, recall and F1, overall and by type.

    ``f1`` counts as the shared task's conlleval does, where an I that follows nothing opens an entity;
    ``f1_strict`` counts well-formed BIO alone. They differ only on ill-formed predictions.

    Args:
        gold, predicted: tags of each sentence.

    Returns:
        ``precision``, ``recall``, ``f1`` and ``f1_strict``, overall and as ``TYPE/...``.

    Source: Tjong Kim Sang & De Meulder 2003; computed by seqeval.
    """
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    report = partial(classification_report, gold, predicted, output_dict=True, zero_division=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where there is no entity, it averages over no type
        lenient, strict = report(), report(mode="strict", scheme=IOB2)
    scores = {}
    for name in ["micro avg", *(name for name in lenient if not name.endswith(" avg"))]:
        prefix = "" if name == "micro avg" else f"{name}/"
        for metric, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            scores[prefix + metric] = float(lenient[name][key])
        # A type may have no well-formed entity at all.
        scores[f"{prefix}f1_strict"] = float(strict[name]["f1-score"]) if name in strict else 0.0
    return scores
