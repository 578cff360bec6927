"""A small model, with dropout and a buffer, whose dev scores a test writes down in advance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.config.schema import TrainerConfig
from harness.tracking.wandb_tracker import NoTracker
from harness.training.model import Model
from harness.training.trainer import Progress, Trainer
from harness.types import Batch, Example, Metrics, Prediction, Split, TokenVectors
from harness.utils.signals import Stop

BATCHES = 4  # per epoch
EXAMPLES = tuple(Example(id=str(i), texts={"tokens": ("w",)}, target=float(i)) for i in range(8))


class _NoFeatures(nn.Module):
    """Gives the head nothing to read: the scripted head makes its input from the ids of the examples."""

    def read(self, _: Batch) -> dict[str, Tensor]:
        return {}

    def forward(self, *_: object) -> dict[str, TokenVectors]:
        return {}

    def penalty(self) -> Tensor:
        return torch.zeros(())

    def mix_state(self) -> dict[str, Any]:
        return {"weights": {}, "gamma": {}}


class LineHead(nn.Module):
    """Fits a line through the examples. Its buffer counts the training batches that it has seen."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.line, self.dropout = nn.Linear(3, 1, bias=False), nn.Dropout(dropout)
        nn.init.constant_(self.line.weight, 0.5)
        self.batches: Tensor
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def loss(self, _: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        self.batches += 1
        x = torch.tensor([[1.0, int(e.id) / 8, int(e.id) % 3] for e in batch.examples])  # (batch, 3)
        y = torch.tensor([e.target for e in batch.examples])  # (batch,)
        return (self.line(self.dropout(x)).squeeze(1) - y).square().mean()

    def predict(self, _: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        return [Prediction(id=e.id, value=int(self.batches)) for e in batch.examples]


@dataclass
class ScriptedTask:
    """Scores the weights after the n-th epoch with the n-th score, and remembers the order of the examples."""

    scores: Sequence[float]
    batches_per_epoch: int
    seen: list[list[str]] = field(default_factory=list)

    name, version, primary_metric, data_name = "scripted", 1, "score", "none"

    def examples(self, _: Split) -> Sequence[Example]:
        return EXAMPLES

    def collate(self, examples: Sequence[Example]) -> Batch:
        self.seen.append([example.id for example in examples])
        return Batch(examples=tuple(examples), masks={"tokens": torch.ones(len(examples), 1, dtype=torch.bool)})

    def build_head(self, *, input_dim: int, output_dim: int) -> LineHead:
        raise NotImplementedError

    def score(self, _: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        return Metrics({"score": self.scores[predictions[0].value // self.batches_per_epoch - 1]})


class RecordingTrainer(Trainer):
    """Keeps what every checkpoint held, by epoch and step, and the weights after every update."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.saved: dict[tuple[int, int], dict[str, Any]] = {}
        self.weights: list[Tensor] = []
        self.optimizer.register_step_post_hook(lambda *_: self.weights.append(self.weight()))

    def weight(self) -> Tensor:
        return next(self.model.head.parameters()).detach().clone()  # type: ignore[operator]

    def _save(self) -> None:
        super()._save()
        self.saved[self.progress.epoch, self.progress.step] = self.on_disk()

    def on_disk(self) -> dict[str, Any]:
        """Return the content of the checkpoint, without the time that training took."""
        state: dict[str, Any] = torch.load(self.checkpoint, weights_only=True)
        del state["progress"]["seconds"]
        return state

    @property
    def task_seen(self) -> list[list[str]]:
        return self.task.seen  # type: ignore[attr-defined,no-any-return]


def scripted(
    folder: Path,
    scores: Sequence[float],
    *,
    seed: int = 1,
    stop: Stop | None = None,
    dropout: float = 0.0,
    whole: bool = False,
    **options: Any,
) -> RecordingTrainer:
    """Return a trainer of a line through eight points.

    Args:
        folder: The folder of the checkpoint.
        scores: The dev score after each epoch; there is one epoch per score.
        seed: The seed of the batch order, and of dropout.
        stop: Tells whether to stop.
        dropout: The dropout of the input.
        whole: Whether all examples are one batch; otherwise there are ``BATCHES`` of two.
        **options: The trainer's options.
    """
    size = len(EXAMPLES) if whole else len(EXAMPLES) // BATCHES
    options = {"optimizer": "SGD", "patience": 100, "grad_norm": None, "lr": 0.01} | options
    torch.manual_seed(seed)
    return RecordingTrainer(
        task=ScriptedTask(scores, 1 if whole else BATCHES),
        model=Model(features=_NoFeatures(), head=LineHead(dropout)),  # type: ignore[arg-type]
        train=EXAMPLES,
        dev=EXAMPLES,
        options=TrainerConfig(batch_size=size, max_epochs=len(scores), **options),
        seed=seed,
        device="cpu",
        checkpoint=folder / "checkpoint.pt",
        track=NoTracker(),
        stop=stop or Stop(),
        progress=Progress(),
    )


def equal(one: Any, other: Any) -> bool:
    """Return whether two nested values are the same, tensors to the bit."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)
