"""Fine-grained sentiment of sentences (SST-5): the biattentive classification network, scored by accuracy.

Source: Socher et al. 2013 (data); Peters et al. 2018, section 4 and supplement A.8.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import torch
from torch import Tensor

from harness.config.schema import DataConfig
from harness.nn.masking import mask_of_sentences
from harness.types import SPLITS, Batch, Example, Metrics, Prediction, Sentence, Split
from tasks.common.label_scores import label_counts, mean_of_counts, score_labels
from tasks.common.official import data_name, official_file
from tasks.sst5 import sample
from tasks.sst5.reader import Tree, parse_tree, read_trees
from tasks.sst5.text_classifiers import (
    BcnOptions,
    BiattentiveClassifier,
    BiLstmClassifier,
    BiLstmOptions,
    TextClassifier,
)

log = logging.getLogger(__name__)

Granularity = Literal["root", "phrases", "phrases_min4"]
LABELS = ("very_negative", "negative", "neutral", "positive", "very_positive")  # 0 to 4 in the files

_LEAST_TOKENS: dict[Granularity, float] = {"root": math.inf, "phrases": 1, "phrases_min4": 4}
_LEAKY_TRAIN = 9_645  # 8,544 trees of the training set, and the 1,101 of the development set


@dataclass(frozen=True, kw_only=True)
class SentimentTreebank:
    """Fine-grained sentiment: which of five labels a sentence has, from very negative to very positive.

    Dev and test are whole sentences. Training examples are whole sentences (``root``), every phrase of their trees
    (``phrases``), or the phrases of four tokens or more (``phrases_min4``, as in the paper); the whole sentence is
    among them however short it is. A phrase is a sentence of its own to the encoder. ``data.fraction`` is a part of
    the training examples, so of phrases where those are trained on; for fewer sentences, set ``granularity: root``.

    Args:
        data: files of trees, or the project's sample.
        granularity: what is trained on.
        distinct: whether a training example that repeats an earlier one's words and label is left out. The published
            figures keep them, so that frequent phrases count for more: 318,582 phrases, about half of them different.
        unescape: whether ``-LRB-`` is read as ``(``, and so on; the encoder was trained on text without such escapes.
        head: the biattentive classification network, or a plain BiLSTM.
        bcn, bilstm: sizes of each head; only the chosen one's matter.
    """

    name: ClassVar[str] = "sst5"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "accuracy"

    data: DataConfig
    granularity: Granularity = "phrases_min4"
    distinct: bool = False
    unescape: bool = True
    head: Literal["bcn", "bilstm"] = "bcn"
    bcn: BcnOptions = field(default_factory=BcnOptions)
    bilstm: BiLstmOptions = field(default_factory=BiLstmOptions)

    @property
    def data_name(self) -> str:
        """``sample``, the published data set, or the folder that the training file lies in."""
        return data_name(self.data, "sst5_trees")

    def examples(self, split: Split) -> Sequence[Example]:
        """Return a split; an example's target is one of ``LABELS``."""
        return self._splits[split]

    @cached_property
    def _splits(self) -> dict[Split, list[Example]]:
        return {split: self._read(split) for split in SPLITS}

    def _read(self, split: Split) -> list[Example]:
        trees = self._trees(split)
        granularity: Granularity = self.granularity if split == "train" else "root"
        examples = examples_of(trees, granularity, prefix=split)
        if split == "train":
            if len(trees) == _LEAKY_TRAIN:
                log.warning(
                    "the training file has %s trees: a widely copied file of that size holds the 1,101 trees of the "
                    "development set too, so that dev scores mean nothing; the official one has 8,544",
                    f"{_LEAKY_TRAIN:,}",
                )
            found = len(examples)
            if self.distinct:
                examples = distinct_of(examples)
            log.info(
                "train: %s examples of %s trees (granularity %s)%s",
                f"{len(examples):,}",
                f"{len(trees):,}",
                granularity,
                f"; {found - len(examples):,} repeated ones left out" if self.distinct else "",
            )
        return examples

    def _trees(self, split: Split) -> list[Tree]:
        if self.data.source == "sample":
            lines = sample.lines(split)
            return [parse_tree(line, where=f"sample {split}", unescape=self.unescape) for line in lines]
        if self.data.source == "official":
            path = official_file("sst5_trees", split, cache_dir=self.data.cache_dir)
        else:
            path = self.data.path(split)
        return read_trees(path, unescape=self.unescape)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples; gold ``label`` is int64 (batch,)."""
        mask = mask_of_sentences(example.texts["tokens"] for example in examples)  # (batch, tokens)
        gold = {}
        if all(example.target is not None for example in examples):
            gold["label"] = torch.tensor([LABELS.index(example.target) for example in examples])  # (batch,)
        return Batch(examples=tuple(examples), masks={"tokens": mask}, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> TextClassifier:
        """Return an untrained classifier."""
        dims = {"input_dim": input_dim, "output_dim": output_dim, "num_labels": len(LABELS)}
        network = (
            BiattentiveClassifier(options=self.bcn, **dims)
            if self.head == "bcn"
            else BiLstmClassifier(options=self.bilstm, **dims)
        )
        return TextClassifier(network=network, labels=LABELS)

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score labels; see ``score_labels``."""
        return Metrics(score_labels([e.target for e in gold], [p.value for p in predictions], LABELS))

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Count right answers and sentences, float64 (sentences, 2)."""
        return label_counts(gold, predictions)

    def score_of_counts(self, sums: Tensor) -> Tensor:
        """Return the accuracy."""
        return mean_of_counts(sums)


def examples_of(trees: Sequence[Tree], granularity: Granularity, *, prefix: str) -> list[Example]:
    """Return what a classifier is given of some trees, in their order, a sentence before its phrases.

    Args:
        trees: the trees.
        granularity: see ``SentimentTreebank``.
        prefix: of ids; phrase 3 of tree 12 is ``PREFIX-12.3``, the whole sentence ``PREFIX-12``.
    """
    least = _LEAST_TOKENS[granularity]
    texts: dict[Sentence, dict[str, Sentence]] = {}  # each different phrase is held once
    examples = []
    for i, (tokens, phrases) in enumerate(trees):
        for j, (start, end, label) in enumerate(phrases):
            if j == 0 or end - start >= least:
                words = tokens[start:end]
                text = texts.setdefault(words, {"tokens": words})
                examples.append(
                    Example(id=f"{prefix}-{i}.{j}" if j else f"{prefix}-{i}", texts=text, target=LABELS[label])
                )
    return examples


def distinct_of(examples: Sequence[Example]) -> list[Example]:
    """Return the examples without those that repeat an earlier one's words and label."""
    first: dict[tuple[Sentence, str], Example] = {}
    for example in examples:
        first.setdefault((example.texts["tokens"], example.target), example)
    return list(first.values())
