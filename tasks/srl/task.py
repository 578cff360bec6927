"""Semantic role labelling: who did what to whom, for each given predicate of a sentence.

Source: Peters et al. 2018, section 4 and supplement A.5; He et al. 2017.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from harness.config.bounds import Dropout, Positive
from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.nn.highway_lstm import HighwayLstm
from harness.nn.masking import mask_of_sentences
from harness.nn.recurrent import BiLstm
from harness.types import Batch, Example, Metrics, Prediction, Split
from tasks.common.answers import span_of, token_labels_answer
from tasks.common.heads.bilstm_options import BiLstmOptions
from tasks.common.label_scores import IGNORED, labels_in_train
from tasks.common.sample_data import write_sample_files
from tasks.common.splits import CUTS, check_options, read_once
from tasks.common.tag_schemes import all_tags
from tasks.srl import sample
from tasks.srl.head import RoleLabeller
from tasks.srl.metric import PREDICATE, arguments_of, compare_arguments, score_roles
from tasks.srl.reader import WithFrames, read_frames

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DeepBiLstmOptions:
    """Sizes of the head ``deep_bilstm``.

    Args:
        hidden_dim: The number of cells of each layer, which reads in one direction.
        num_layers: The number of layers.
        recurrent_dropout: The dropout on the last output of a layer, the same at every step of a sentence.
    """

    hidden_dim: Positive = 100
    num_layers: Positive = 2
    recurrent_dropout: Dropout = 0.1


@dataclass(frozen=True, kw_only=True)
class SemanticRoleLabelling:
    """Semantic role labelling with given predicates, scored by F1 over arguments.

    An example is one predicate of a sentence. Its target has the index of the ``predicate``, and the BIO ``tags`` of
    its arguments, with ``V`` for the predicate itself. The predicate of a sentence without any is None.

    Args:
        data: The data: columns of CoNLL-2005 or CoNLL-2012, JSON lines, or the sample data.
        predicateless: Whether training sentences without a predicate are examples without roles, or are left out. Those
            of dev and test are always left out, because the score does not depend on them.
        predicate_dim: The width of the vector that marks the predicate.
        head: The name of the head: the network of the paper, or a plain BiLSTM.
        deep_bilstm: The sizes of the head ``deep_bilstm``.
        bilstm: The sizes of the head ``bilstm``.
    """

    name: ClassVar[str] = "srl"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "f1"
    learned: ClassVar[tuple[str, ...]] = ("labels",)
    tokenizer: ClassVar[str] = "whitespace"
    own_columns: ClassVar[bool] = True

    data: DataConfig
    predicateless: Literal["keep", "drop"] = "keep"
    predicate_dim: Positive = 100
    head: Literal["deep_bilstm", "bilstm"] = "deep_bilstm"
    deep_bilstm: DeepBiLstmOptions = field(default_factory=DeepBiLstmOptions)
    bilstm: BiLstmOptions = field(default_factory=BiLstmOptions)

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return "sample" if self.data.source == "sample" else self.data.path("train").resolve().parent.name

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split, one for each predicate."""
        if self.data.source == "sample":
            sentences = sample.sentences(split)
        else:
            check_options(self.data, ("columns", *CUTS))
            sentences = read_frames(self.data.path(split), self.data.columns)
        return _examples(sentences, split, keep=split == "train" and self.predicateless == "keep")

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:
        """Return the examples of a file, one for each predicate.

        Args:
            path: The file.
            prefix: The start of the ids of the examples.
            labelled: Whether each predicate needs the tags of its arguments.
        """
        return _examples(read_frames(path, self.data.columns, labelled=labelled), prefix, keep=False)

    def is_own(self, values: Mapping[str, Any]) -> bool:
        """Return whether an object of JSON lines has predicates."""
        return "frames" in values

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data as columns in the format of CoNLL-2005; return their paths."""
        return write_sample_files(folder, suffix=".conll", text=sample.conll)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The BIO tags of the roles in the training data."""

        def roles(example: Example) -> list[str]:
            return [tag[2:] for tag in example.target["tags"] if tag.startswith("B-")]

        return all_tags(labels_in_train(self.examples, roles, "arguments have a role"), "bio")

    @cached_property
    def _label_ids(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch; gold ``labels`` are int64 (batch, tokens), ``IGNORED`` at padding.

        Raises:
            ConfigError: An example does not say which word is the predicate.
        """
        mask = mask_of_sentences(example.texts["tokens"] for example in examples)  # (batch, tokens)
        predicates = torch.zeros(mask.shape, dtype=torch.int64)  # (batch, tokens)
        for row, example in zip(predicates, examples, strict=True):
            if example.target is None:
                raise ConfigError(
                    f"text {example.id} has no predicate, and this model labels the arguments of a given one; give "
                    '{"words": ["It", "rained"], "frames": [{"pred": 1}]} on each line of a .jsonl file, or columns of '
                    "CoNLL-2005, with --input task"
                )
            if example.target["predicate"] is not None:
                row[example.target["predicate"]] = 1
        gold = {}
        if all(example.target["tags"] is not None for example in examples):
            rows = [torch.tensor([self._label_ids.get(tag, IGNORED) for tag in e.target["tags"]]) for e in examples]
            gold["labels"] = pad_sequence(rows, batch_first=True, padding_value=IGNORED)  # (batch, tokens)
        return Batch(examples=tuple(examples), masks={"tokens": mask}, inputs={"predicates": predicates}, gold=gold)

    def build_head(self, *, input_dim: int, output_dim: int) -> RoleLabeller:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to the output of its recurrent network; 0 for none.
        """
        width, dropout = input_dim + self.predicate_dim, 0.0
        encoder: HighwayLstm | BiLstm
        if self.head == "deep_bilstm":
            sizes = self.deep_bilstm
            encoder = HighwayLstm(
                input_dim=width,
                hidden_dim=sizes.hidden_dim,
                num_layers=sizes.num_layers,
                recurrent_dropout=sizes.recurrent_dropout,
            )
        else:
            dropout = self.bilstm.dropout
            encoder = BiLstm(
                input_dim=width,
                hidden_dim=self.bilstm.hidden_dim,
                num_layers=self.bilstm.num_layers,
                dropout=dropout,
            )
        return RoleLabeller(
            encoder=encoder,
            labels=self.labels,
            predicate_dim=self.predicate_dim,
            output_dim=output_dim,
            dropout=dropout,
        )

    def answer(self, example: Example, prediction: Prediction) -> Mapping[str, Any]:
        """Return the predicate, the tag of each token with its probability, and the arguments.

        Args:
            example: The sentence and its predicate.
            prediction: The tags.
        """
        position, text = example.target["predicate"], example.origin["tokens"]
        answer = token_labels_answer(example, prediction)
        arguments = [
            {"role": role, "pieces": [span_of(text, start, end) for start, end in pieces]}
            for role, pieces in arguments_of(answer["labels"])
            if role != PREDICATE
        ]
        predicate = None if position is None else span_of(text, position, position + 1)
        return {"predicate": predicate, **answer, "arguments": arguments}

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score the arguments by the official rules; see ``score_roles``.

        Args:
            gold: The examples with their tags.
            predictions: The prediction for each example, in the same order.
        """
        pairs = zip(gold, predictions, strict=True)
        return Metrics(score_roles((e.target["tags"], p.value) for e, p in pairs if e.target["predicate"] is not None))

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Count the arguments of each example: twice the correct ones, and the gold and predicted ones.

        Args:
            gold: The examples with their tags.
            predictions: The prediction for each example, in the same order.

        Returns:
            float64 (examples, 2). F1 is the ratio of the sums. A sentence without a predicate, which may be in a part
            of the training file, adds nothing.
        """
        rows = []
        for example, prediction in zip(gold, predictions, strict=True):
            if example.target["predicate"] is None:
                rows.append((0, 0))
                continue
            correct, excess, missed = (
                part.total() for part in compare_arguments(example.target["tags"], prediction.value)
            )
            rows.append((2 * correct, 2 * correct + excess + missed))
        return torch.tensor(rows, dtype=torch.float64)


def _examples(sentences: Sequence[WithFrames], prefix: str, *, keep: bool) -> list[Example]:
    """Return one example per predicate, and, if they are kept, one per sentence without a predicate."""
    examples = []
    for i, (words, frames) in enumerate(sentences):
        texts = {"tokens": words}  # one object for all predicates of a sentence
        for k, frame in enumerate(frames):
            target = {"predicate": frame.predicate, "tags": frame.tags}
            examples.append(Example(id=f"{prefix}-{i}-{k}", texts=texts, target=target))
        if not frames and keep:
            target = {"predicate": None, "tags": ("O",) * len(words)}
            examples.append(Example(id=f"{prefix}-{i}", texts=texts, target=target))
    without = sum(not frames for _, frames in sentences)
    if without and not keep:
        log.info("%s: left out %s sentences without a predicate", prefix, f"{without:,}")
    return examples
