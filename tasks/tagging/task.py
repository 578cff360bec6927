"""Tagging of your own data: give each token one of the labels in the file."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from harness.config.bounds import Seed
from harness.config.schema import DataConfig
from harness.errors import ConfigError, DataFormatError
from harness.nn.char_cnn import char_ids
from harness.nn.masking import mask_of_sentences
from harness.types import Batch, Example, Metrics, Prediction, Sentence, Split
from harness.utils.text_files import is_json
from tasks.common.answers import entities_answer, token_labels_answer
from tasks.common.column_files import read_columns
from tasks.common.control import labels_of_tokens, tokens_of, with_token_labels
from tasks.common.entity_scores import entity_counts, score_tags
from tasks.common.heads.bilstm_crf import BiLstmCrf, BiLstmCrfOptions
from tasks.common.heads.bilstm_options import BiLstmOptions
from tasks.common.heads.bilstm_tagger import BiLstmTagger
from tasks.common.heads.linear_tagger import LinearTagger
from tasks.common.heads.mlp import MlpOptions, MlpTagger
from tasks.common.heads.token_classifier import TokenClassifier
from tasks.common.label_scores import IGNORED, labels_in_train, score_labels, token_label_counts
from tasks.common.official import data_name
from tasks.common.sample_data import write_sample_files
from tasks.common.splits import CUTS, check_options, read_once, tagged_examples
from tasks.common.tag_schemes import TagScheme, all_tags, convert
from tasks.common.tagged_sentences import in_bio, read_json_sentences
from tasks.ner import sample as entities
from tasks.pos import sample as words

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Tagging:
    """Tagging with one label per token; the labels are those in the training data.

    Args:
        data: The data: column files or JSON lines, or the sample data.
        metric: What is scored: ``accuracy`` over tokens, or ``span_f1``, F1 over the spans that tags such as ``B-LOC``
            and ``I-LOC`` mark.
        scheme: The scheme of the tags of spans; ``auto`` detects it for each file.
        tokens: The name of the list of tokens in JSON lines.
        tags: The name of the list of labels in JSON lines.
        control: The seed of the control task, in which each word type has one label, drawn at random; None for the task
            itself.
        head: The name of the head: a linear probe, an MLP probe, a BiLSTM tagger, or a BiLSTM-CRF.
        mlp: The sizes of the head ``mlp``.
        bilstm: The sizes of the head ``bilstm``.
        bilstm_crf: The sizes of the head ``bilstm_crf``.

    Raises:
        ConfigError: There is no such control task.
    """

    name: ClassVar[str] = "tagging"
    version: ClassVar[int] = 1
    learned: ClassVar[tuple[str, ...]] = ("labels",)
    labels_of = staticmethod(labels_of_tokens)
    kinds_of = staticmethod(tokens_of)
    with_labels = staticmethod(with_token_labels)
    tokenizer: ClassVar[str] = "whitespace"

    data: DataConfig
    metric: Literal["accuracy", "span_f1"] = "accuracy"
    scheme: Literal["auto", "iob1", "bio", "iobes", "bioul"] = "auto"
    tokens: str = "tokens"
    tags: str = "tags"
    control: Seed | None = None
    head: Literal["linear", "mlp", "bilstm", "bilstm_crf"] = "bilstm"
    mlp: MlpOptions = field(default_factory=MlpOptions)
    bilstm: BiLstmOptions = field(default_factory=BiLstmOptions)
    bilstm_crf: BiLstmCrfOptions = field(default_factory=BiLstmCrfOptions)

    def __post_init__(self) -> None:
        if self.control is not None and self._spans:
            raise ConfigError(f"task.control={self.control}: random labels mark no spans; choose task.metric=accuracy")

    @property
    def primary_metric(self) -> str:
        """The name of the metric that is chosen."""
        return "f1" if self._spans else "accuracy"

    @property
    def _spans(self) -> bool:
        """Whether the labels are tags of spans; the targets of examples and the predictions are then in BIO."""
        return self.metric == "span_f1"

    @property
    def _train_scheme(self) -> TagScheme | None:
        """The scheme of the labels of the head; None if they are not tags of spans."""
        if not self._spans:
            return None
        return "bioul" if self.head == "bilstm_crf" else "bio"  # the CRF of the task ner has it too

    @property
    def own_columns(self) -> bool:
        """Whether an option says which column has the words."""
        return self.data.columns is not None

    def is_own(self, values: Mapping[str, Any]) -> bool:
        """Return whether an object of JSON lines has the list of tokens that ``task.tokens`` names."""
        return self.tokens != "tokens" and self.tokens in values

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "tagging")

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split; the target of an example is one label per token."""
        if self.data.source != "sample":
            return self.read(self.data.path(split), prefix=split)
        return tagged_examples(self._sample(split), split)

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:
        """Return the examples of a file.

        Args:
            path: The file: JSON lines if its name ends in ``.jsonl``, else columns.
            prefix: The start of the ids of the examples.
            labelled: Whether to read the labels. If not, the targets are None.
        """
        check_options(self.data, ("columns", *CUTS))
        if is_json(path):
            sentences = read_json_sentences(path, tokens=self.tokens, tags=self.tags, labelled=labelled)
        else:
            sentences = read_columns(path, self.data.columns, labelled=labelled)
        if labelled and self._spans:
            return tagged_examples(in_bio(sentences, path=path, scheme=self.scheme), prefix)
        return tagged_examples([(s.tokens, s.tags if labelled else None) for s in sentences], prefix)

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data as column files; return their paths."""
        return write_sample_files(folder, suffix=".conll", text=self._columns)

    def _columns(self, split: Split) -> str:
        """Return a split of the sample data as the content of a column file."""
        pairs = [zip(*sentence, strict=True) for sentence in self._sample(split)]
        return "\n".join("".join(f"{token}\t{tag}\n" for token, tag in pair) for pair in pairs)

    def _sample(self, split: Split) -> Sequence[tuple[Sentence, tuple[str, ...]]]:
        """Return a split of the sample data of the task that the metric belongs to."""
        return entities.sentences(split) if self._spans else words.tagged(split)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels of the head: those in the training data, or all tags of the types of spans there."""
        if self._train_scheme is not None:
            types = labels_in_train(
                self.examples, lambda e: [tag[2:] for tag in e.target if tag != "O"], "tokens are in a span of a type"
            )
            return all_tags(types, self._train_scheme)
        labels = labels_in_train(self.examples, lambda e: e.target, "tokens have a label")
        if len(labels) == 1:
            raise DataFormatError(
                f"{self.data.train}: every token has the label '{labels[0]}', so there is nothing to learn; "
                "set data.columns, or give two or more labels"
            )
        if "O" in labels and any(label.startswith("B-") for label in labels):
            log.warning("the labels look like tags of spans; task.metric=span_f1 scores whole spans")
        return labels

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch.

        Gold ``labels`` are int64 (batch, tokens), ``IGNORED`` at padding and for a label unknown in training.
        """
        sentences = [example.texts["tokens"] for example in examples]
        masks = {"tokens": mask_of_sentences(sentences)}  # (batch, tokens)
        has_chars = self.head == "bilstm_crf" and self.bilstm_crf.char_filters
        inputs = {"chars": char_ids(sentences)} if has_chars else {}  # (batch, tokens, chars)
        gold = {}
        if all(example.target is not None for example in examples):
            scheme = self._train_scheme
            tags = [convert(e.target, "bio", scheme) if scheme else e.target for e in examples]
            rows = [torch.tensor([self._label_ids.get(tag, IGNORED) for tag in row]) for row in tags]
            gold["labels"] = pad_sequence(rows, batch_first=True, padding_value=IGNORED)  # (batch, tokens)
        return Batch(examples=tuple(examples), masks=masks, inputs=inputs, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> BiLstmCrf | TokenClassifier:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to the output of its encoder; 0 for none.
        """
        dims: dict[str, Any] = {"input_dim": input_dim, "output_dim": output_dim}
        if self.head == "bilstm_crf":
            return BiLstmCrf(**dims, labels=self.labels, scheme=self._train_scheme, **asdict(self.bilstm_crf))
        network: nn.Module
        if self.head == "linear":
            network = LinearTagger(**dims, num_labels=len(self.labels))
        elif self.head == "mlp":
            network = MlpTagger(**dims, num_labels=len(self.labels), options=self.mlp)
        else:
            network = BiLstmTagger(
                **dims,
                num_labels=len(self.labels),
                hidden_dim=self.bilstm.hidden_dim,
                num_layers=self.bilstm.num_layers,
                dropout=self.bilstm.dropout,
            )
        return TokenClassifier(network=network, labels=self.labels)

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score the labels of all tokens together, or the spans; see ``score_labels`` and ``score_tags``.

        Args:
            gold: The examples with their labels.
            predictions: The prediction for each example, in the same order.
        """
        if self._spans:
            return Metrics(score_tags([list(e.target) for e in gold], [list(p.value) for p in predictions]))
        expected = list(chain.from_iterable(example.target for example in gold))
        found = list(chain.from_iterable(prediction.value for prediction in predictions))
        return Metrics(score_labels(expected, found, sorted({*expected, *found}), confusion=False))

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Count what each example adds to the numerator and the denominator of the metric, float64 (examples, 2).

        Args:
            gold: The examples with their labels.
            predictions: The prediction for each example, in the same order.
        """
        return (entity_counts if self._spans else token_label_counts)(gold, predictions)

    def answer(self, example: Example, prediction: Prediction) -> Mapping[str, Any]:
        """Return what ``predict`` writes for a sentence: the label of each token, and the spans if there are any.

        Args:
            example: The sentence.
            prediction: Its labels.
        """
        return (entities_answer if self._spans else token_labels_answer)(example, prediction)
