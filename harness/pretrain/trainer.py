"""Train a biLM: windows, losses, updates, and checkpoints from which a killed training continues exactly."""

import json
import logging
import math
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from harness.encoders.char_ids import char_ids
from harness.encoders.elmo import StatePolicy
from harness.encoders.kernels.lstm_steps import LstmState
from harness.errors import ConfigError, HarnessError
from harness.pretrain.network import Batch
from harness.pretrain.optimizers import Optimizers
from harness.pretrain.perplexity import Perplexity, perplexity
from harness.pretrain.preparation import Preparation
from harness.pretrain.softmax import log_uniform
from harness.pretrain.windows import Windows
from harness.protocols import Tracker
from harness.utils.checkpoint import checked, reading_checkpoint, write_checkpoint
from harness.utils.files import write_text
from harness.utils.signals import Stop

log = logging.getLogger(__name__)

CHECKPOINT, HISTORY = "checkpoint.pt", "history.jsonl"
CARRIED: StatePolicy = "carry"  # held-out text is read as training reads: with carried state
_ROW = "step %d of %d: loss %.3f forward, %.3f backward%s; %.0f tokens/s, %.0f min left"


@dataclass
class Progress:
    """How far a training has come. It is a part of every checkpoint.

    Attributes:
        step: Number of updates done.
        seconds: Time spent on them, in all sessions together.
        losses: Since the last row of the history: sum of forward losses, sum of backward losses, number of updates.
        history: The rows of ``history.jsonl``.
        before: Held-out perplexity before the first update, if there was a softmax to start from.
    """

    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    history: list[dict[str, float]] = field(default_factory=list)
    before: dict[str, float] | None = None


class BiLmTrainer:
    """Trains a network on a corpus.

    Args:
        prepared: What the training starts from. Its folder gets the checkpoint and the history.
        tracker: Receives a copy of every row of the history.
        stop: Asked after every update whether to stop.
    """

    def __init__(self, *, prepared: Preparation, tracker: Tracker, stop: Stop) -> None:
        self._prepared, self._tracker, self._stop = prepared, tracker, stop
        self._config, options = prepared.config, prepared.config.trainer
        words, size = prepared.train.words, len(prepared.vocabulary)
        self._targets = prepared.vocabulary.rows_of(words)  # (types,)
        self._lengths = np.array([len(word.encode()) for word in words])  # (types,)
        # Drawing more than half of the vocabulary without replacement takes too long; then all of it is used.
        self._negatives = options.negatives if options.negatives <= size // 2 else size
        self._windows = Windows(
            corpus=prepared.train, streams=options.streams, steps=options.window, seed=self._config.seed
        )
        self._network, self._total = prepared.network, prepared.total_steps
        self._optimizers = Optimizers(network=self._network, options=options, total_steps=self._total)
        self._state = self._network.zero_state(options.streams)
        self._decay = self._total - options.decay_steps, self._total  # between these updates the learning rate falls
        self._checkpoint = prepared.folder / CHECKPOINT
        self.progress = Progress()

    def fit(self) -> None:
        """Train to the end, from the checkpoint if there is one.

        Raises:
            Interrupted: A stop was requested, and the checkpoint is written.
            HarnessError: The loss is not finite, or the checkpoint belongs to another training.
        """
        if self._checkpoint.exists():
            self._load()
        elif self._prepared.softmax_given and self._prepared.dev:
            measured = self._measure()
            self.progress.before = asdict(measured)
            self._tracker.log(_row_of(measured), step=0)
            log.info("held-out perplexity before: %.1f forward, %.1f backward", measured.forward, measured.backward)
        progress, config = self.progress, self._config
        self._network.train()
        session_start, session_step = time.perf_counter(), progress.step
        while progress.step < self._total:
            began = time.perf_counter()
            losses = self._update()
            progress.step += 1
            progress.seconds += time.perf_counter() - began
            progress.losses = [a + b for a, b in zip(progress.losses, [*losses, 1.0], strict=True)]
            last = progress.step == self._total
            if progress.step % config.log_every == 0 or progress.step % config.dev_every == 0 or last:
                tokens = (progress.step - session_step) * config.trainer.tokens_per_update
                self._add_row(tokens / (time.perf_counter() - session_start))
            if progress.step % config.checkpoint_every == 0 or last or self._stop.requested:
                self._save()
                self._stop.check()

    def _measure(self) -> Perplexity:
        return perplexity(self._network, self._prepared.dev, self._prepared.vocabulary, state=CARRIED)

    def _update(self) -> list[float]:
        """Do one update; return the loss of each direction."""
        options, device, step = self._config.trainer, self._prepared.device, self.progress.step
        sums = torch.zeros(2)
        for part in range(options.accumulate):
            generator = np.random.default_rng([self._config.seed, 1, step, part])
            negatives = log_uniform(len(self._prepared.vocabulary), self._negatives, generator)
            with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=options.precision == "bfloat16"):
                losses, self._state = self._network(self._batch(), self._state, negatives)  # (directions,)
            (losses.sum() / options.accumulate).backward()
            sums += losses.detach().cpu() / options.accumulate
        norm = self._optimizers.step(step)
        if not math.isfinite(norm) or not bool(torch.isfinite(sums).all()):
            raise HarnessError(
                f"loss {sums.tolist()}, gradient norm {norm} in step {step + 1}; "
                f"lower trainer.lr (now {options.lr}) or trainer.grad_norm"
            )
        return [float(loss) for loss in sums]

    def _batch(self) -> Batch:
        """Return the next window, with its different words sorted by length."""
        inputs, targets = self._windows.next()  # (directions, steps, streams) each
        types, rows = np.unique(inputs, return_inverse=True)  # (types,), (positions,)
        order = np.argsort(self._lengths[types], kind="stable")  # (types,)
        place = np.argsort(order)  # (types,)
        words = [self._prepared.train.words[row] for row in types[order]]
        characters = char_ids(words, max_chars=self._network.options.max_chars)  # (types, chars)
        arrays = (place[rows].reshape(inputs.shape), self._targets[targets])  # (directions, steps, streams) each
        return Batch(*(one.to(self._prepared.device) for one in (characters, *map(torch.from_numpy, arrays))))

    def _add_row(self, speed: float) -> None:
        """Add a row to the history; ``speed`` is in tokens per second."""
        progress, config = self.progress, self._config
        *sums, updates = progress.losses
        forward, backward = (loss / updates for loss in sums)
        row = {
            "step": progress.step,
            "tokens": progress.step * config.trainer.tokens_per_update,
            "loss/forward": forward,
            "loss/backward": backward,
            "lr": self._optimizers.learning_rate(progress.step - 1),
        }
        held_out = ""
        if self._prepared.dev and (progress.step % config.dev_every == 0 or progress.step == self._total):
            measured = self._measure()
            row |= _row_of(measured)
            held_out = f"; held-out perplexity {measured.forward:.1f}, {measured.backward:.1f}"
        progress.losses = [0.0, 0.0, 0.0]
        progress.history.append(row)
        self._write_history()
        self._track(row | {"tokens_per_s": speed})
        minutes = (self._total - progress.step) * config.trainer.tokens_per_update / speed / 60
        log.info(_ROW, progress.step, self._total, forward, backward, held_out, speed, minutes)

    def _write_history(self) -> None:
        rows = "".join(json.dumps(row) + "\n" for row in self.progress.history)
        write_text(self._prepared.folder / HISTORY, rows)

    def _track(self, row: dict[str, float]) -> None:
        self._tracker.log({name: value for name, value in row.items() if name != "step"}, step=int(row["step"]))

    def _save(self) -> None:
        state = {
            "identity": self._prepared.identity,
            "decay": self._decay,
            "progress": asdict(self.progress),
            "network": self._network.state_dict(),
            "optimizers": self._optimizers.state(),
            "windows": self._windows.state(),
            "lstm": [(one.hidden, one.cell) for one in self._state],
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self._prepared.device.startswith("cuda") else [],
        }
        write_checkpoint(self._checkpoint, state)

    def _load(self) -> None:
        """Continue from the checkpoint, after a check that it belongs to this training."""
        path, device = self._checkpoint, self._prepared.device
        with reading_checkpoint(path, device=device) as state:
            self._check(state)
            self.progress = checked(Progress, state["progress"])
            if not all(0 < row["step"] <= self.progress.step for row in self.progress.history):
                raise ValueError("its history has other steps")
            if len(self.progress.losses) != 3 or not math.isfinite(sum(self.progress.losses) + self.progress.seconds):
                raise ValueError("its sums of losses or its time are out of range")
            self._network.load_state_dict(state["network"])
            self._optimizers.restore(state["optimizers"])
            self._windows.restore(state["windows"])
            lstm = tuple(LstmState(*tensors) for tensors in state["lstm"])
            if [(one.hidden.shape, one.cell.shape) for one in lstm] != [
                (one.hidden.shape, one.cell.shape) for one in self._state
            ]:
                raise ValueError("its LSTM states are of another shape")
            self._state = lstm
            torch.set_rng_state(state["rng"].cpu())
            if state["cuda_rng"] and device.startswith("cuda"):
                torch.cuda.set_rng_state_all([rng.cpu() for rng in state["cuda_rng"]])
        self._write_history()  # rows that are newer than the checkpoint are dropped, and will be written again
        for row in self.progress.history:
            self._track(row)
        log.info("continuing from %s, step %d", path, self.progress.step)

    def _check(self, state: dict[str, Any]) -> None:
        """Refuse the checkpoint of another training, or of one whose learning rate falls between other updates."""
        if state["identity"] != self._prepared.identity:
            raise ConfigError(
                f"{self._checkpoint} belongs to a training with other options or other text; "
                "delete it, or choose another out=DIR"
            )
        (begin, end), step = state["decay"], state["progress"]["step"]
        decayed = self._config.trainer.schedule == "constant" and step > min(begin, self._decay[0])
        if decayed and (begin, end) != self._decay:
            raise ConfigError(
                f"{self._checkpoint} is at step {step}, and its learning rate falls from step {begin} to {end}; "
                f"it can continue only with trainer.max_steps={end} trainer.decay_steps={end - begin}"
            )


def _row_of(measured: Perplexity) -> dict[str, float]:
    """Return held-out perplexities under the names that they have in the history."""
    return {f"dev/{name}": getattr(measured, name) for name in ("forward", "backward", "average")}
