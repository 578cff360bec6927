"""The online code length of the labels of the training data: how many bits they cost, given the token vectors.

The labels are sent portion by portion. The first portion is sent in a uniform code. For each other portion, the head is
trained on everything before it, from the same initial weights, and a label costs ``-log2`` of the probability that the
head gives it. A representation from which the labels are easy to learn, even from few examples, has a short code.

Source: Voita and Titov 2020 (arXiv 2003.12298), section 2.2.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from harness.config.schema import TrainerConfig
from harness.protocols import Task
from harness.tracking.wandb_tracker import NoTracker
from harness.training.evaluation import predict
from harness.training.model import Model
from harness.training.trainer import Progress, Trainer
from harness.types import Batch, Example, Metrics, Prediction, TokenVectors
from harness.utils.signals import Stop

log = logging.getLogger(__name__)

# The parts of the training examples where a portion ends, as in the paper.
ENDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)


@runtime_checkable
class Coding(Protocol):
    """A head that gives each label a probability, so that ``code_length=true`` can measure the code length of labels.

    Attributes:
        labels: All labels that it can give.
    """

    labels: Sequence[str]

    def label_nats(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return ``-ln p`` of each gold label. The labels of an example are scored independently of each other.

        Args:
            vectors: As in ``Head.loss``.
            batch: As in ``Head.loss``.

        Returns:
            Float (batch, items): ``-ln p``, and bool (batch, items): True where there is a gold label that the head
            can give.
        """


@dataclass(frozen=True, kw_only=True)
class CodeLength:
    """The online code length of labels.

    Attributes:
        classes: The number of different labels, K.
        examples, labels: The number of examples and of labels in each portion.
        costs: The cost of the labels of each portion, in units of a label of the uniform code, ``log2 K`` bits. In
            these units, a head that gives every label the same probability has the compression 1, without rounding.
    """

    classes: int
    examples: tuple[int, ...]
    labels: tuple[int, ...]
    costs: tuple[float, ...]

    @property
    def bits(self) -> float:
        """The code length of all labels, L."""
        return math.fsum(self.costs) * math.log2(self.classes)

    @property
    def uniform_bits(self) -> float:
        """The length of the uniform code of the same labels, ``N * log2 K``."""
        return sum(self.labels) * math.log2(self.classes)

    @property
    def compression(self) -> float:
        """``N * log2 K / L``: 1 for a head that knows nothing, and more if it has learned."""
        return sum(self.labels) / math.fsum(self.costs)

    def values(self) -> dict[str, Any]:
        """Return everything as plain values, for the record."""
        sums = {"bits": self.bits, "uniform_bits": self.uniform_bits, "compression": self.compression}
        bits = [cost * math.log2(self.classes) for cost in self.costs]
        portions = {"examples": list(self.examples), "labels": list(self.labels), "bits": bits}
        return {**sums, "classes": self.classes, "portions": portions}


@dataclass(kw_only=True)
class OnlineCode:
    """Measures the online code length of the labels of a training set.

    Args:
        task: The task, which collates the examples.
        model: The untrained model; afterwards, it has the same weights again.
        train: The training examples, whose labels are coded.
        dev: The examples whose code length selects the epoch of each training.
        options: The hyper-parameters of training.
        seed: The seed of the order of the examples, and of each training.
        device: The device of the model.
        folder: The folder of the checkpoints; there is one for each portion, so that a stopped run can continue.
        stop: The object that is asked after every step whether to stop.
    """

    task: Task
    model: Model
    train: Sequence[Example]
    dev: Sequence[Example]
    options: TrainerConfig
    seed: int
    device: str
    folder: Path
    stop: Stop

    def measure(self) -> CodeLength:
        """Train on each part of the data, and return the code length of what follows it.

        Raises:
            Interrupted: A stop was requested; the checkpoints hold everything that resuming needs.
            HarnessError: Training failed.
        """
        coder = _CodingModel(features=self.model.features, head=self.model.head)
        initial = {name: tensor.clone() for name, tensor in self.model.trained().items()}
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(self.seed)).tolist()
        ends = portion_ends(len(order))
        labels, costs = [], []
        for start, end in pairwise((0, *ends)):
            if start:
                self.model.load_trained(initial)
                self._fit(coder, [self.train[i] for i in order[:start]])
            portion = predict(self.task, coder, [self.train[i] for i in order[start:end]], self.options)
            spent = [cost for prediction in portion for cost in prediction.value]
            labels.append(len(spent))
            costs.append(math.fsum(spent) if start else float(len(spent)))
            log.info(
                "code length: %d examples, a label costs %.3f of one in the uniform code",
                end,
                costs[-1] / max(1, labels[-1]),
            )
        self.model.load_trained(initial)
        return CodeLength(
            classes=len(coder.coding.labels),
            examples=tuple(end - start for start, end in pairwise((0, *ends))),
            labels=tuple(labels),
            costs=tuple(costs),
        )

    def _fit(self, coder: "_CodingModel", examples: Sequence[Example]) -> None:
        """Train on the examples before a portion; the epoch with the shortest code of dev is kept."""
        torch.manual_seed(self.seed)  # for dropout
        Trainer(
            task=_CodingTask(self.task),  # type: ignore[arg-type]
            model=coder,
            train=examples,
            dev=self.dev,
            options=self.options,
            seed=self.seed,
            device=self.device,
            checkpoint=self.folder / f"checkpoint-{len(examples)}.pt",
            track=NoTracker(),
            stop=self.stop,
            progress=Progress(),
        ).fit()


def portion_ends(examples: int) -> list[int]:
    """Return how many examples the portions up to each one have; a small set has fewer portions."""
    return sorted({max(1, round(end * examples)) for end in ENDS})


class _CodingModel(Model):
    """A model whose prediction for an example is the cost of each gold label; see ``CodeLength``."""

    @property
    def coding(self) -> Coding:
        """The head."""
        assert isinstance(self.head, Coding)
        return self.head

    def predict(self, batch: Batch) -> list[Prediction]:
        vectors, batch = self._vectors(batch)
        nats, given = self.coding.label_nats(vectors, batch)  # (batch, items) each
        uniform = torch.zeros(len(self.coding.labels), dtype=torch.float64).log_softmax(dim=0)[0]
        costs = nats.double().cpu() / -uniform  # (batch, items)
        rows = zip(batch.examples, costs, given.cpu(), strict=True)
        return [Prediction(id=example.id, value=row[mask].tolist()) for example, row, mask in rows]


@dataclass(frozen=True)
class _CodingTask:
    """What the trainer needs of a task; its score is the negative mean cost of a label."""

    task: Task
    primary_metric = "minus_code_length"

    def collate(self, examples: Sequence[Example]) -> Batch:
        return self.task.collate(examples)

    def score(self, _: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        costs = [cost for prediction in predictions for cost in prediction.value]
        return Metrics({self.primary_metric: -math.fsum(costs) / len(costs) if costs else math.nan})
