"""Training a head: epochs, selection on dev, and checkpoints that a killed run goes on from."""

import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from inspect import signature
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from harness.config.instantiate import build
from harness.config.schema import TrainerConfig
from harness.errors import ConfigError, HarnessError, nearest
from harness.protocols import Task, Tracker
from harness.training.batching import bucketed, example_lengths
from harness.training.evaluation import evaluate
from harness.training.model import Model
from harness.training.weight_average import WeightAverage
from harness.types import Example, Metrics
from harness.utils.console import progress
from harness.utils.files import replacing
from harness.utils.signals import Stop

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """Where training stands; all of it is in the checkpoint.

    Attributes:
        epoch: finished epochs.
        step: finished batches of the epoch under way.
        loss_sum: sum of the losses of those batches.
        best_epoch: 1-based epoch with the best dev score so far, 0 for none.
        best_score: that score.
        history: a row of scalars an epoch.
        seconds: spent in training, over all sessions.
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

    Attributes:
        task: collates and scores.
        model: trained in place.
        train, dev: examples; dev selects the epoch.
        options: hyper-parameters.
        seed: of the batch order; dropout draws from torch's global generator, which the caller seeds.
        device: where to train.
        checkpoint: written after every epoch and when stopped; read if it is there.
        track: receives each epoch's scalars.
        stop: asked after every step.
        progress: where training stands, kept up to date.
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
        self.lengths = [example_lengths(example) for example in self.train]
        self.optimizer = make_optimizer(self.model.parameters(), self.options)
        self.schedule = _schedule(self.optimizer, self.options)
        self.average = (
            WeightAverage(self.model, decay=self.options.average) if self.options.average is not None else None
        )
        self.best: dict[str, Tensor] = {}

    def fit(self) -> None:
        """Train, and leave the best weights in ``model``.

        Raises:
            Interrupted: a stop was asked for; the checkpoint holds everything.
            HarnessError: the loss is not finite, or the checkpoint cannot be read.
        """
        if self.checkpoint.exists():
            self._load()
        now = self.progress
        while now.epoch < self.options.max_epochs and now.epoch - now.best_epoch < self.options.patience:
            started = time.perf_counter()
            self._train_epoch(started)
            self._finish_epoch()
            now.seconds += time.perf_counter() - started
            self._save()
            self.stop.check()
        self.model.load_trained(self.best)

    def _train_epoch(self, started: float) -> None:
        now = self.progress
        batches = bucketed(
            self.lengths,
            batch_size=self.options.batch_size,
            max_tokens=self.options.max_batch_tokens,
            generator=torch.Generator().manual_seed(self.seed * 1_000_003 + now.epoch),
        )
        self.model.train()
        left = batches[now.step :]
        for indices in progress(left, f"epoch {now.epoch + 1}", total=len(left)):
            now.loss_sum += self._step([self.train[i] for i in indices])
            now.step += 1
            if self.stop.requested and now.step < len(batches):
                now.seconds += time.perf_counter() - started
                self._save()
                self.stop.check()

    def _step(self, examples: Sequence[Example]) -> float:
        batch = self.task.collate(examples)
        loss = self.model.loss(self.model.read(batch, self.device), batch.to(self.device))
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
        """Score dev, keep the best, and write the epoch's row."""
        now = self.progress
        now.epoch += 1
        with self.average.applied() if self.average is not None else nullcontext():
            metrics = self._select()
            mixes = self.model.features.mix_state()
        loss = now.loss_sum / now.step
        row = {
            "epoch": now.epoch,
            "train/loss": loss,
            "lr": self.optimizer.param_groups[0]["lr"],
            **{f"dev/{name}": metrics[name] for name in metrics},
            **_flat_mixes(mixes),
        }
        now.history.append(row)
        now.step, now.loss_sum = 0, 0.0
        score = metrics[self.task.primary_metric]
        if self.schedule is not None:
            self.schedule.step(score)
        self._tell(row)
        log.info(
            "epoch %d: loss %.4f, dev %s %.4f%s",
            now.epoch,
            loss,
            self.task.primary_metric,
            score,
            " (best)" if now.best_epoch == now.epoch else "",
        )

    def _select(self) -> Metrics:
        """Score dev with the model as it is, and keep its weights where they are the best so far."""
        now = self.progress
        metrics, _ = evaluate(self.task, self.model, self.dev, self.options, device=self.device)
        score = metrics[self.task.primary_metric]
        if math.isnan(score):
            raise HarnessError(f"dev {self.task.primary_metric} is NaN in epoch {now.epoch}: the task cannot select")
        if score > now.best_score:
            now.best_epoch, now.best_score = now.epoch, score
            self.best = {name: tensor.clone() for name, tensor in self.model.trained().items()}
        return metrics

    def _tell(self, row: Mapping[str, Any]) -> None:
        self.track.log({name: value for name, value in row.items() if name != "epoch"}, step=row["epoch"])

    def _save(self) -> None:
        state = {
            "progress": asdict(self.progress),
            "model": self.model.trained(),
            "best": self.best,
            "average": self.average.state_dict() if self.average is not None else {},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule is not None else {},
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.device.startswith("cuda") else [],
        }
        with replacing(self.checkpoint) as temporary:
            torch.save(state, temporary)

    def _load(self) -> None:
        try:
            state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        except (OSError, RuntimeError, EOFError, UnpicklingError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise HarnessError(
                f"{self.checkpoint}: not a readable checkpoint ({reason}); delete it, and the run starts anew"
            ) from None
        for name, value in state["progress"].items():
            setattr(self.progress, name, value)
        self.model.load_trained(state["model"])
        self.best = state["best"]
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["rng"].cpu())
        if state["cuda_rng"]:
            torch.cuda.set_rng_state_all([rng.cpu() for rng in state["cuda_rng"]])
        for row in self.progress.history:
            self._tell(row)
        log.info(
            "going on from %s: epoch %d, step %d",
            self.checkpoint,
            self.progress.epoch + 1,
            self.progress.step,
        )


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """Return the optimiser of ``torch.optim`` of this name; it must take a learning rate and a weight decay.

    Raises:
        ConfigError: there is none.
    """
    known = {
        key: value
        for key, value in vars(torch.optim).items()
        if isinstance(value, type)
        and issubclass(value, torch.optim.Optimizer)
        and {"lr", "weight_decay"} <= signature(value).parameters.keys()
    }
    if name not in known:
        raise ConfigError(f"trainer.optimizer={name}: torch.optim has no such optimiser{nearest(name, known)}")
    return known[name]


def make_optimizer(parameters: Iterable[nn.Parameter], options: TrainerConfig) -> torch.optim.Optimizer:
    """Return the optimiser that the options name.

    Raises:
        ConfigError: there is no such optimiser, it takes no such option or value, or cannot train these parameters.
    """
    node = {**options.optimizer_options, "_target_": f"torch.optim.{optimizer_class(options.optimizer).__name__}"}
    own: dict[str, Any] = {"lr": options.lr, "weight_decay": options.weight_decay}
    for name in sorted(own.keys() & options.optimizer_options.keys()):
        raise ConfigError(f"trainer.optimizer_options.{name}: set trainer.{name} instead")
    try:
        optimizer: torch.optim.Optimizer = build(
            node, where="trainer.optimizer_options", params=[p for p in parameters if p.requires_grad], **own
        )
    except (ValueError, TypeError, RuntimeError) as error:  # what the optimisers of torch raise at a bad value
        raise ConfigError(f"trainer.optimizer={options.optimizer} cannot train this model: {error}") from None
    return optimizer


def _schedule(
    optimizer: torch.optim.Optimizer, options: TrainerConfig
) -> torch.optim.lr_scheduler.ReduceLROnPlateau | None:
    if options.plateau_patience is None:
        return None
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=options.plateau_factor, patience=options.plateau_patience
    )


def _flat_mixes(mixes: dict[str, Any]) -> dict[str, float]:
    """Name every mix weight for a table: ``mix/input/s0``, ``mix/input/gamma``."""
    flat = {f"mix/{place}/s{j}": w for place, weights in mixes["weights"].items() for j, w in enumerate(weights)}
    return flat | {f"mix/{place}/gamma": gamma for place, gamma in mixes["gamma"].items()}
