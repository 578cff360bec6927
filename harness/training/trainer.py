"""Training a head: epochs, selection on dev, and checkpoints from which a stopped run resumes."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.config.schema import TrainerConfig
from harness.errors import HarnessError
from harness.protocols import Task, Tracker
from harness.training.batching import bucketed, example_lengths
from harness.training.evaluation import evaluate
from harness.training.model import Model
from harness.training.optimizer import make_optimizer, make_schedule
from harness.training.weight_average import WeightAverage
from harness.types import Example
from harness.utils.checkpoint import checked, reading_checkpoint, write_checkpoint
from harness.utils.console import progress
from harness.utils.signals import Stop

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far training has come; all of it is in the checkpoint.

    Attributes:
        epoch: The number of finished epochs.
        step: The number of finished batches in the current epoch.
        loss_sum: The sum of the losses of those batches.
        best_epoch: The epoch with the best dev score so far, counted from 1; 0 for none.
        best_score: The dev score of that epoch.
        history: One row of scalars per finished epoch.
        seconds: The time spent in training, over all sessions.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best_epoch: int = 0
    best_score: float = float("-inf")
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(kw_only=True)
class Trainer:
    """Trains a model until dev has not improved for ``patience`` epochs.

    While all dev scores are exactly 0, training goes on: a tagger that has not predicted an entity correctly yet is
    not finished.

    Args:
        task: The task, which collates and scores examples.
        model: The model; it is trained in place.
        train: The training examples.
        dev: The examples whose score selects the best epoch.
        options: The hyper-parameters of training.
        seed: The seed of the batch order. Dropout draws from torch's global generator, which the caller seeds.
        device: The device of the model.
        checkpoint: The file that is written after every epoch and when stopped. If it exists, training resumes from it.
        track: The tracker that receives the scalars of each epoch.
        stop: The object that is asked after every step whether to stop.
        progress: How far training has come; the trainer keeps it up to date.
    """

    task: Task
    model: Model
    train: Sequence[Example]
    dev: Sequence[Example]
    options: TrainerConfig
    seed: int
    device: str
    checkpoint: Path
    track: Tracker
    stop: Stop
    progress: Progress

    def __post_init__(self) -> None:
        decay = self.options.average
        self.lengths = [example_lengths(example) for example in self.train]
        self.optimizer = make_optimizer(self.model.parameters(), self.options)
        self.schedule = make_schedule(self.optimizer, self.options)
        self.average = WeightAverage(self.model, decay=decay) if decay is not None else None
        self.best: dict[str, Tensor] = {}
        parts = {"optimizer": self.optimizer, "schedule": self.schedule, "average": self.average}
        self._parts: dict[str, Any] = {name: part for name, part in parts.items() if part is not None}

    def fit(self) -> None:
        """Train, and leave the best weights in ``model``.

        Raises:
            Interrupted: A stop was requested; the checkpoint holds everything that resuming needs.
            HarnessError: The loss is not finite, the dev score is not a number, or the checkpoint cannot be read.
        """
        if self.checkpoint.exists():
            self._load()
        now = self.progress
        while now.epoch < self.options.max_epochs and (
            self._has_found_nothing or now.epoch - now.best_epoch < self.options.patience
        ):
            started = time.perf_counter()
            if self._train_epoch():
                self._finish_epoch()
            now.seconds += time.perf_counter() - started
            self._save()
            self.stop.check()
        self.model.load_trained(self.best)

    @property
    def _has_found_nothing(self) -> bool:
        """Whether the best dev score is 0 and that of the first epoch."""
        return self.progress.best_score == 0 and self.progress.best_epoch == 1

    def _train_epoch(self) -> bool:
        """Train on the remaining batches of the epoch; return False if a stop was requested before the last one."""
        now, options = self.progress, self.options
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + now.epoch)
        batches = bucketed(
            self.lengths, batch_size=options.batch_size, max_tokens=options.max_batch_tokens, generator=generator
        )
        self.model.train()
        left = batches[now.step :]
        for indices in progress(left, f"epoch {now.epoch + 1}", total=len(left)):
            now.loss_sum += self._step([self.train[i] for i in indices])
            now.step += 1
            if self.stop.requested and now.step < len(batches):
                return False
        return True

    def _step(self, examples: Sequence[Example]) -> float:
        """Update the weights on one batch; return its loss."""
        loss = self.model.loss(self.task.collate(examples))
        if not bool(torch.isfinite(loss)):
            raise HarnessError(
                f"the loss is {loss.item()} in epoch {self.progress.epoch + 1}, step {self.progress.step + 1}; "
                f"lower trainer.lr (now {self.options.lr}) or trainer.grad_norm"
            )
        self.optimizer.zero_grad()
        loss.backward()
        if self.options.grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.grad_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update()
        return float(loss.detach())

    def _finish_epoch(self) -> None:
        """Score dev, keep the weights if they are the best so far, and record the epoch."""
        now, name = self.progress, self.task.primary_metric
        now.epoch += 1
        with self.average.applied() if self.average is not None else nullcontext():
            metrics, _ = evaluate(self.task, self.model, self.dev, self.options)
            mixes = _flat_mixes(self.model.features.mix_state())
            if not all(map(math.isfinite, mixes.values())):
                raise HarnessError(f"the mix has the weights {mixes} in epoch {now.epoch}; lower trainer.lr")
            if metrics[name] > now.best_score:
                now.best_epoch, now.best_score = now.epoch, metrics[name]
                self.best = {key: tensor.clone() for key, tensor in self.model.trained().items()}
        loss = now.loss_sum / now.step
        row = {
            "epoch": now.epoch,
            "train/loss": loss,
            "lr": self.optimizer.param_groups[0]["lr"],
            **{f"dev/{metric}": metrics[metric] for metric in metrics},
            **mixes,
        }
        now.history.append(row)
        now.step, now.loss_sum = 0, 0.0
        if self.schedule is not None and not self._has_found_nothing:
            self.schedule.step(metrics[name])
        self._log_to_tracker(row)
        best = " (best)" if now.best_epoch == now.epoch else ""
        log.info("epoch %d: loss %.4f, dev %s %.4f%s", now.epoch, loss, name, metrics[name], best)

    def _log_to_tracker(self, row: Mapping[str, Any]) -> None:
        self.track.log({name: value for name, value in row.items() if name != "epoch"}, step=row["epoch"])

    def _save(self) -> None:
        """Write the checkpoint."""
        state = {
            "progress": asdict(self.progress),
            "model": self.model.trained(),
            "best": self.best,
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.device.startswith("cuda") else [],
            **{name: part.state_dict() for name, part in self._parts.items()},
        }
        write_checkpoint(self.checkpoint, state)

    def _load(self) -> None:
        """Continue from the checkpoint, and log the finished epochs to the tracker again."""
        with reading_checkpoint(self.checkpoint, device=self.device) as state:
            now, self.best = checked(Progress, state["progress"]), state["best"] or {}
            if not 0 <= now.best_epoch <= now.epoch == len(now.history):
                raise ValueError(f"it has {len(now.history)} epochs of history, and says that {now.epoch} are finished")
            if [row["epoch"] for row in now.history] != list(range(1, now.epoch + 1)):
                raise ValueError("its history has other epochs")
            if bool(self.best) != (now.best_epoch > 0):
                raise ValueError("it lacks the weights of its best epoch, or has some without such an epoch")
            if not (0 <= now.step <= len(self.train) and math.isfinite(now.loss_sum + now.seconds)):
                raise ValueError("its step, loss or time is out of range")
            vars(self.progress).update(vars(now))
            self.model.load_trained(self.best or state["model"])  # only to check its names and shapes
            self.model.load_trained(state["model"])
            for name, part in self._parts.items():
                part.load_state_dict(state[name])
            torch.set_rng_state(state["rng"].cpu())
            if state["cuda_rng"]:
                torch.cuda.set_rng_state_all([rng.cpu() for rng in state["cuda_rng"]])
        for row in self.progress.history:
            self._log_to_tracker(row)
        log.info("resuming %s: epoch %d, step %d", self.checkpoint, self.progress.epoch + 1, self.progress.step)


def _flat_mixes(mixes: dict[str, Any]) -> dict[str, float]:
    """Name each mix weight for a table: ``mix/input/s0``, ``mix/input/gamma``."""
    flat = {f"mix/{place}/s{j}": w for place, weights in mixes["weights"].items() for j, w in enumerate(weights)}
    return flat | {f"mix/{place}/gamma": gamma for place, gamma in mixes["gamma"].items()}
