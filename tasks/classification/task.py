"""Classification of your own data: give each text, or each pair of texts, one of the labels in the file."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from harness.config.schema import DataConfig
from harness.errors import ConfigError, DataFormatError
from harness.nn.masking import mask_of_sentences
from harness.types import Batch, Example, Metrics, Prediction, Split
from harness.utils.tokenizers import tokenizer_named
from tasks.classification import sample
from tasks.classification.reader import TextColumns, read_examples
from tasks.common.answers import label_answer
from tasks.common.heads.bcn import BcnOptions, BiattentiveClassifier
from tasks.common.heads.bilstm_classifier import BiLstmClassifier
from tasks.common.heads.bilstm_options import PooledBiLstmOptions
from tasks.common.heads.esim import Esim, EsimOptions
from tasks.common.heads.linear_classifier import LinearClassifier, LinearOptions
from tasks.common.heads.mlp import MlpClassifier, PooledMlpOptions
from tasks.common.heads.text_classifier import PAIR, TextClassifier
from tasks.common.label_scores import IGNORED, label_counts, labels_in_train, score_labels
from tasks.common.official import data_name
from tasks.common.sample_data import write_sample_files
from tasks.common.splits import CUTS, check_options, read_once
from tasks.common.table_files import Column

log = logging.getLogger(__name__)

_MOST_IN_CONFUSION = 20  # with more labels than this, the confusion matrix is too long for a record


@dataclass(frozen=True, kw_only=True)
class TextClassification:
    """Classification of texts or of pairs of texts, scored by accuracy; the labels are those in the training data.

    Args:
        data: The data: CSV or TSV files or JSON lines, or the sample data.
        text: The column of the text, or of the first text of a pair: its name, or its number in a file without a
            header. None for ``text`` or ``sentence``.
        pair: The column of the second text; None if an example is one text.
        label: The column of the label.
        head: The name of the head. ``linear``, ``mlp`` and ``bilstm`` classify texts and pairs, ``bcn`` only texts, and
            ``esim`` only pairs.
        linear: The options of the head ``linear``.
        mlp: The sizes of the head ``mlp``.
        bilstm: The sizes of the head ``bilstm``.
        bcn: The sizes of the head ``bcn``.
        esim: The sizes of the head ``esim``.

    Raises:
        ConfigError: The head does not fit the number of texts.
    """

    name: ClassVar[str] = "classification"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "accuracy"
    learned: ClassVar[tuple[str, ...]] = ("labels",)
    answer = label_answer
    counts = staticmethod(label_counts)

    data: DataConfig
    text: Column | None = None
    pair: Column | None = None
    label: Column = "label"
    head: Literal["linear", "mlp", "bilstm", "bcn", "esim"] = "bilstm"
    linear: LinearOptions = field(default_factory=LinearOptions)
    mlp: PooledMlpOptions = field(default_factory=PooledMlpOptions)
    bilstm: PooledBiLstmOptions = field(default_factory=PooledBiLstmOptions)
    bcn: BcnOptions = field(default_factory=BcnOptions)
    esim: EsimOptions = field(default_factory=EsimOptions)

    def __post_init__(self) -> None:
        if self.head == "esim" and self.pair is None:
            raise ConfigError(
                "task.head=esim compares two texts; name the column of the second one, task.pair=COLUMN, or choose "
                "task.head=bilstm"
            )
        if self.head == "bcn" and self.pair is not None:
            raise ConfigError("task.head=bcn reads one text; choose task.head=bilstm or task.head=esim for pairs")

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "classification")

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split; the target of an example is its label."""
        if self.data.source != "sample":
            return self.read(self.data.path(split), prefix=split)
        return [
            Example(id=f"{split}-{i}", texts=dict(zip(self._texts, texts, strict=True)), target=label)
            for i, (texts, label) in enumerate(sample.labelled(split, pair=self.pair is not None))
        ]

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:
        """Return the examples of a file.

        Args:
            path: The file.
            prefix: The start of the ids of the examples.
            labelled: Whether every example needs a label.
        """
        check_options(self.data, ("tokenize", *CUTS))
        columns = TextColumns(text=self.text, pair=self.pair, label=self.label)
        tokenize = tokenizer_named(self.data.tokenizer)
        return read_examples(path, columns, tokenize=tokenize, prefix=prefix, labelled=labelled)

    @property
    def tokenizer(self) -> str:
        """How raw text is split into tokens."""
        return self.data.tokenizer

    @property
    def _texts(self) -> tuple[str, ...]:
        """The names of the texts of an example."""
        return ("tokens",) if self.pair is None else PAIR

    def is_own(self, values: Mapping[str, Any]) -> bool:
        """Return whether an object of JSON lines has the texts that ``task.text`` and ``task.pair`` name."""
        named = (self.text,) if self.pair is None else (self.text or "text", self.pair)
        usual = (None,), ("text",), PAIR  # of every run
        return named not in usual and all(name in values for name in named)

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data as CSV files, or as TSV files for pairs; return their paths."""
        texts = [self.text or "text"] if self.pair is None else [self.text or "text", self.pair]
        names = [str(name) for name in (*texts, self.label)]
        suffix = ".csv" if self.pair is None else ".tsv"
        return write_sample_files(folder, suffix=suffix, text=lambda split: sample.table(split, names))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels in the training data; a head predicts no other label."""
        labels = labels_in_train(self.examples, lambda example: [example.target], "examples have a label")
        if len(labels) == 1:
            raise DataFormatError(
                f"{self.data.train}: every training example has the label '{labels[0]}', so there is nothing to learn; "
                "check task.label, or give examples of two or more labels"
            )
        examples = len(self.examples("train"))
        if 2 * len(labels) > examples > 10:
            log.warning("%d different labels for %d training examples; check task.label", len(labels), examples)
        return labels

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch; gold ``labels`` are int64 (batch,), ``IGNORED`` for a label unknown in training."""
        masks = {text: mask_of_sentences(e.texts[text] for e in examples) for text in self._texts}  # (batch, tokens)
        gold = {}
        if all(example.target is not None for example in examples):
            gold["labels"] = torch.tensor([self._label_ids.get(e.target, IGNORED) for e in examples])  # (batch,)
        return Batch(examples=tuple(examples), masks=masks, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> TextClassifier:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to the output of its encoder; 0 for none.
        """
        dims: dict[str, Any] = {"input_dim": input_dim, "output_dim": output_dim, "num_labels": len(self.labels)}
        pair = self.pair is not None
        network: nn.Module
        if self.head == "linear":
            network = LinearClassifier(**dims, **asdict(self.linear), pair=pair)
        elif self.head == "mlp":
            network = MlpClassifier(**dims, options=self.mlp, pair=pair)
        elif self.head == "bilstm":
            network = BiLstmClassifier(**dims, **asdict(self.bilstm), pair=pair)
        elif self.head == "bcn":
            network = BiattentiveClassifier(**dims, **asdict(self.bcn))
        else:
            network = Esim(**dims, **asdict(self.esim))
        return TextClassifier(network=network, labels=self.labels)

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score the labels; see ``score_labels``. There is no confusion matrix if there are many labels.

        Args:
            gold: The examples with their labels.
            predictions: The prediction for each example, in the same order.
        """
        expected, found = [e.target for e in gold], [p.value for p in predictions]
        labels = sorted({*expected, *found})
        return Metrics(score_labels(expected, found, labels, confusion=len(labels) <= _MOST_IN_CONFUSION))
