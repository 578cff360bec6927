"""Fine-grained sentiment (SST-5): give each sentence one of five labels, from very negative to very positive.

Source: Socher et al. 2013 (the data); Peters et al. 2018, section 4 and supplement A.8.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from harness.config.schema import DataConfig
from harness.nn.masking import mask_of_sentences
from harness.types import Batch, Example, Metrics, Prediction, Sentence, Split
from tasks.common.answers import label_answer
from tasks.common.heads.bcn import BcnOptions, BiattentiveClassifier
from tasks.common.heads.bilstm_classifier import BiLstmClassifier
from tasks.common.heads.bilstm_options import PooledBiLstmOptions
from tasks.common.heads.text_classifier import TextClassifier
from tasks.common.label_scores import label_counts, score_labels
from tasks.common.official import data_name
from tasks.common.sample_data import write_sample_files
from tasks.common.splits import read_once, split_file
from tasks.sst5 import sample
from tasks.sst5.reader import Tree, parse_tree, read_trees

log = logging.getLogger(__name__)

Granularity = Literal["root", "phrases", "phrases_min4"]
LABELS = ("very_negative", "negative", "neutral", "positive", "very_positive")  # 0 to 4 in the files

_MIN_TOKENS: dict[Granularity, float] = {"root": math.inf, "phrases": 1, "phrases_min4": 4}
_TRAIN_AND_DEV = 9_645  # 8,544 trees of the training set and 1,101 of the development set


@dataclass(frozen=True, kw_only=True)
class SentimentTreebank:
    """Fine-grained sentiment with five labels per sentence, scored by accuracy.

    Dev and test are whole sentences. The encoder reads a phrase like a sentence. ``data.fraction`` counts training
    examples, so phrases if ``granularity`` is not ``root``.

    Args:
        data: The data: files of trees, the treebank from its owners, or the sample data.
        granularity: The training examples: whole sentences (``root``), all phrases of their trees (``phrases``), or
            the phrases of at least four tokens (``phrases_min4``, as in the paper) and all whole sentences.
        distinct: Whether to leave out a training example with the words and the label of an earlier one. The published
            results keep them, so frequent phrases count more: about half of the 318,582 phrases repeat another one.
        unescape: Whether to read ``-LRB-`` as ``(``, and so on. The encoder was trained on text without such escapes.
        head: The name of the head: the biattentive classification network (BCN), or a plain BiLSTM.
        bcn: The sizes of the head ``bcn``.
        bilstm: The sizes of the head ``bilstm``.
    """

    name: ClassVar[str] = "sst5"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "accuracy"
    counts = staticmethod(label_counts)
    learned: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[tuple[str, ...]] = LABELS
    tokenizer: ClassVar[str] = "whitespace"
    answer = label_answer

    data: DataConfig
    granularity: Granularity = "phrases_min4"
    distinct: bool = False
    unescape: bool = True
    head: Literal["bcn", "bilstm"] = "bcn"
    bcn: BcnOptions = field(default_factory=BcnOptions)
    bilstm: PooledBiLstmOptions = field(default_factory=PooledBiLstmOptions)

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "sst5_trees")

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split; the target of an example is one of ``LABELS``."""
        if self.data.source == "sample":
            lines = sample.lines(split)
            trees = [parse_tree(line, where=f"sample {split}", unescape=self.unescape) for line in lines]
        else:
            trees = read_trees(split_file(self.data, split, official="sst5_trees"), unescape=self.unescape)
        return self._train(trees) if split == "train" else examples_of(trees, "root", prefix=split)

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:  # noqa: ARG002
        """Return the examples of a file; every example needs a whole tree.

        Args:
            path: The file.
            prefix: The start of the ids of the examples.
            labelled: Not used.
        """
        return examples_of(read_trees(path, unescape=self.unescape), "root", prefix=prefix)

    def _train(self, trees: Sequence[Tree]) -> list[Example]:
        """Return the training examples of trees."""
        if len(trees) == _TRAIN_AND_DEV:
            log.warning(
                "the training file has %s trees: a common copy of this size contains the 1,101 trees of the "
                "development set too, which makes dev scores meaningless; the official file has 8,544",
                f"{_TRAIN_AND_DEV:,}",
            )
        every = examples_of(trees, self.granularity, prefix="train")
        kept = distinct_of(every) if self.distinct else every
        log.info(
            "train: %s examples from %s trees (granularity %s); left out %s repeated ones",
            f"{len(kept):,}",
            f"{len(trees):,}",
            self.granularity,
            f"{len(every) - len(kept):,}",
        )
        return kept

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data as files of trees; return their paths."""
        return write_sample_files(folder, suffix=".txt", text=lambda split: "\n".join([*sample.lines(split), ""]))

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch; gold ``labels`` are int64 (batch,)."""
        mask = mask_of_sentences(example.texts["tokens"] for example in examples)  # (batch, tokens)
        gold = {}
        if all(example.target is not None for example in examples):
            gold["labels"] = torch.tensor([LABELS.index(example.target) for example in examples])  # (batch,)
        return Batch(examples=tuple(examples), masks={"tokens": mask}, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> TextClassifier:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to the output of its last BiLSTM; 0 for none.
        """
        dims: dict[str, Any] = {"input_dim": input_dim, "output_dim": output_dim, "num_labels": len(LABELS)}
        network: nn.Module
        if self.head == "bcn":
            network = BiattentiveClassifier(**dims, **asdict(self.bcn))
        else:
            network = BiLstmClassifier(**dims, **asdict(self.bilstm))
        return TextClassifier(network=network, labels=LABELS)

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score the labels; see ``score_labels``.

        Args:
            gold: The examples with their labels.
            predictions: The prediction for each example, in the same order.
        """
        return Metrics(score_labels([e.target for e in gold], [p.value for p in predictions], LABELS))


def examples_of(trees: Sequence[Tree], granularity: Granularity, *, prefix: str) -> list[Example]:
    """Return the examples of trees in their order, each sentence before its phrases.

    Args:
        trees: The trees.
        granularity: Which phrases become examples; see ``SentimentTreebank``.
        prefix: The start of the ids. Phrase 3 of tree 12 is ``PREFIX-12.3``, the whole sentence ``PREFIX-12``.
    """
    min_tokens = _MIN_TOKENS[granularity]
    texts: dict[Sentence, dict[str, Sentence]] = {}  # equal phrases are one object in memory
    examples = []
    for i, (tokens, phrases) in enumerate(trees):
        for j, (start, end, label) in enumerate(phrases):
            if j == 0 or end - start >= min_tokens:
                words = tokens[start:end]
                text = texts.setdefault(words, {"tokens": words})
                examples.append(
                    Example(id=f"{prefix}-{i}.{j}" if j else f"{prefix}-{i}", texts=text, target=LABELS[label])
                )
    return examples


def distinct_of(examples: Sequence[Example]) -> list[Example]:
    """Return the first of all examples with the same words and the same label."""
    first: dict[tuple[Sentence, str], Example] = {}
    for example in examples:
        first.setdefault((example.texts["tokens"], example.target), example)
    return list(first.values())
