"""Edge probing: label spans of a sentence, or pairs of spans, from their vectors alone.

Source: Tenney et al. 2019 (arXiv 1905.06316).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from harness.config.bounds import Positive, Seed
from harness.config.schema import DataConfig
from harness.errors import ConfigError, DataFormatError
from harness.nn.masking import mask_of_lengths, mask_of_sentences
from harness.types import Batch, Example, Metrics, Prediction, Split
from tasks.common.answers import span_of
from tasks.common.heads.mlp import MlpOptions
from tasks.common.label_scores import labels_in_train
from tasks.common.official import data_name
from tasks.common.sample_data import write_sample_files
from tasks.common.splits import CUTS, read_once, split_file
from tasks.edges import sample
from tasks.edges.edge_probe import EdgeProbe, OneLabelEdgeProbe
from tasks.edges.reader import edge_examples, labels_of, read_edges


@dataclass(frozen=True, kw_only=True)
class EdgeProbing:
    """Edge probing, scored by F1 over all labels of all targets (micro-averaged).

    Args:
        data: The data: files that ``read_edges`` reads, the dependency arcs of English EWT from its owners, or the
            sample data.
        head: The name of the head: a linear layer, or an MLP, on the pooled vectors of the spans.
        projection_dim: The width to which token vectors are projected before they are pooled.
        mlp: The sizes of the head ``mlp``.
        loss: ``sigmoid``: each label is a decision of its own. ``softmax``: each target has exactly one label.
        control: The seed of the control task, in which targets of the same words have the same labels, drawn at random;
            None for the task itself.
    """

    name: ClassVar[str] = "edges"
    version: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "f1"
    learned: ClassVar[tuple[str, ...]] = ("labels", "span_names")
    tokenizer: ClassVar[str] = "whitespace"
    own_columns: ClassVar[bool] = True

    data: DataConfig
    head: Literal["linear", "mlp"] = "mlp"
    projection_dim: Positive = 256
    mlp: MlpOptions = field(default_factory=MlpOptions)
    loss: Literal["sigmoid", "softmax"] = "sigmoid"
    control: Seed | None = None

    @property
    def data_name(self) -> str:
        """The name of the data in tables."""
        return data_name(self.data, "ewt")

    @read_once
    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split; the target of an example is the list of its labelled spans."""
        if self.data.source == "sample":
            return edge_examples(sample.labelled(split), split)
        path = split_file(self.data, split, official="ewt", taken=("columns", *CUTS))
        return self.read(path, prefix=split)

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> list[Example]:
        """Return the examples of a file.

        Args:
            path: The file.
            prefix: The start of the ids of the examples.
            labelled: Whether every target needs a label.
        """
        return edge_examples(read_edges(path, self.data.columns, labelled=labelled), prefix)

    def is_own(self, values: Mapping[str, Any]) -> bool:
        """Return whether an object of JSON lines has targets to label."""
        return "targets" in values or "frames" in values

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the sample data as JSON lines; return their paths."""
        return write_sample_files(folder, suffix=".jsonl", text=sample.jsonl)

    def labels_of(self, example: Example) -> Sequence[str]:
        """Return the labels of each target of an example, as one text; see ``WithControl``."""
        return ["\n".join(labels_of(target)) for target in example.target]

    def kinds_of(self, example: Example) -> Sequence[str]:
        """Return the words of each target of an example; see ``WithControl``."""
        words = example.texts["tokens"]
        spans = [[target[name] for name in ("span1", "span2") if name in target] for target in example.target]
        return ["\t".join(" ".join(words[start:end]) for start, end in one) for one in spans]

    def with_labels(self, example: Example, labels: Sequence[str]) -> Example:
        """Return an example with other labels; see ``WithControl``.

        Args:
            example: The example.
            labels: The labels of each of its targets, as one text.
        """
        pairs = zip(example.target, labels, strict=True)
        return replace(
            example, target=[{**target, "label": text.split("\n") if text else []} for target, text in pairs]
        )

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels in the training data; a head predicts no other label."""
        several = [e.id for e in self.examples("train") for target in e.target if len(labels_of(target)) != 1]
        if several and self.loss == "softmax":
            raise DataFormatError(
                f"task.loss=softmax: {len(several)} targets have no label or several, the first in {several[0]}; "
                "choose task.loss=sigmoid"
            )
        return labels_in_train(
            self.examples, lambda e: [label for target in e.target for label in labels_of(target)], "labels"
        )

    @cached_property
    def span_names(self) -> tuple[str, ...]:
        """The names of the spans of a target in the training data: ``span1``, or ``span1`` and ``span2``."""
        return ("span1", "span2") if "span2" in self.examples("train")[0].target[0] else ("span1",)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch.

        The inputs are ``targets``, bool (batch, targets), and ``span1`` and ``span2``, int64 (batch, targets, 2). Gold
        ``labels`` are float (batch, targets, labels); a label that is unknown in training is left out.

        Raises:
            ConfigError: An example does not say which spans are to be labelled.
        """
        for example in examples:
            if example.target is None:
                raise ConfigError(
                    f"text {example.id} has no targets, and this model labels given ones; give "
                    '{"text": ["It", "rained"], "targets": [{"span1": [0, 1]}]} on each line of a .jsonl file'
                )
        masks = {"tokens": mask_of_sentences(example.texts["tokens"] for example in examples)}  # (batch, tokens)
        targets = [example.target for example in examples]
        inputs = {"targets": mask_of_lengths(torch.tensor([len(row) for row in targets]))}  # (batch, targets)
        for name in self.span_names:
            spans = [[self._span(target, name, e) for target in row] for row, e in zip(targets, examples, strict=True)]
            rows = [torch.tensor(row, dtype=torch.int64).reshape(-1, 2) for row in spans]  # (targets, 2) each
            inputs[name] = pad_sequence(rows, batch_first=True)  # (batch, targets, 2)
        known = {label: i for i, label in enumerate(self.labels)}
        labels = torch.zeros(*inputs["targets"].shape, len(known))  # (batch, targets, labels)
        for places, row in zip(labels, targets, strict=True):
            for one, target in zip(places, row, strict=False):
                one[[known[label] for label in labels_of(target) if label in known]] = 1.0
        return Batch(examples=tuple(examples), masks=masks, inputs=inputs, gold={"labels": labels})

    def _span(self, target: Any, name: str, example: Example) -> list[int]:
        """Return a span of a target, which must have the spans of those in the training data."""
        if ("span2" in target) != ("span2" in self.span_names):
            kind = "pairs" if "span2" in self.span_names else "single spans"
            raise DataFormatError(f"{example.id}: a target differs from those in the training data; give {kind}")
        span: list[int] = target[name]
        return span

    def build_head(self, *, input_dim: int, output_dim: int) -> EdgeProbe:
        """Return an untrained head.

        Args:
            input_dim: The width of the token vectors that enter the head.
            output_dim: The width of the vectors that are joined to them; 0 for none.
        """
        kind = OneLabelEdgeProbe if self.loss == "softmax" else EdgeProbe
        return kind(
            input_dim=input_dim,
            output_dim=output_dim,
            labels=self.labels,
            pair=len(self.span_names) == 2,
            projection_dim=self.projection_dim,
            mlp=self.mlp if self.head == "mlp" else None,
        )

    def answer(self, example: Example, prediction: Prediction) -> Mapping[str, Any]:
        """Return what ``predict`` writes for a sentence: the spans of each target and its labels.

        Args:
            example: The sentence.
            prediction: The labels of each target.
        """
        text = example.origin["tokens"]
        rows = zip(example.target or [], prediction.value or [], strict=True)  # none in a text without tokens
        return {
            "targets": [
                {**{name: span_of(text, *target[name]) for name in self.span_names}, "labels": labels}
                for target, labels in rows
            ]
        }

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Return precision, recall and F1 over all labels of all targets, and the F1 of each label.

        Args:
            gold: The examples with their targets.
            predictions: The prediction for each example, in the same order.
        """
        found: dict[str, list[int]] = {}  # true positives, predicted and gold labels
        for expected, given in _pairs(gold, predictions):
            for label in expected | given:
                counts = found.setdefault(label, [0, 0, 0])
                for i, is_counted in enumerate((label in expected & given, label in given, label in expected)):
                    counts[i] += is_counted
        right, predicted, true = (sum(counts[i] for counts in found.values()) for i in range(3))
        scores = {"precision": _ratio(right, predicted), "recall": _ratio(right, true)}
        scores["f1"] = _ratio(2 * right, predicted + true)
        by_label = {f"{name}/f1": _ratio(2 * a, b + c) for name, (a, b, c) in sorted(found.items())}
        return Metrics(scores | by_label)

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Return twice the correct labels of each example, and its gold and predicted labels: float64 (examples, 2).

        Args:
            gold: The examples with their targets.
            predictions: The prediction for each example, in the same order.
        """
        rows = []
        for example, prediction in zip(gold, predictions, strict=True):
            pairs = _pairs([example], [prediction])
            rows.append([2 * sum(len(a & b) for a, b in pairs), sum(len(a) + len(b) for a, b in pairs)])
        return torch.tensor(rows, dtype=torch.float64)


def _pairs(gold: Sequence[Example], predictions: Sequence[Prediction]) -> list[tuple[set[str], set[str]]]:
    """Return the gold and the predicted labels of each target."""
    return [
        (set(labels_of(target)), set(labels))
        for example, prediction in zip(gold, predictions, strict=True)
        for target, labels in zip(example.target, prediction.value, strict=True)
    ]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
