"""The training loop: windows, losses, checkpoints; killed anywhere, it goes on as if nothing had happened."""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from harness.encoders.kernels.lstm_steps import LstmState
from harness.errors import ConfigError, HarnessError
from harness.pretrain.config import PretrainConfig
from harness.pretrain.corpus import Corpus
from harness.pretrain.network import Batch, PretrainingNetwork
from harness.pretrain.optimizers import Optimizers
from harness.pretrain.perplexity import Perplexity
from harness.pretrain.softmax import log_uniform
from harness.pretrain.vocabulary import Vocabulary
from harness.pretrain.windows import Windows
from harness.protocols import Tracker
from harness.utils.files import replacing, write_text
from harness.utils.signals import Stop

log = logging.getLogger(__name__)

CHECKPOINT, HISTORY = "checkpoint.pt", "history.jsonl"


@dataclass
class Progress:
    """How far training has come.

    Attributes:
        step: updates done.
        seconds: spent on them, in all sessions.
        losses: sums since the last row of the history, forward and backward, and their number.
        history: what is written to ``history.jsonl``.
        before: held-out perplexity before the first update, where there were weights to start from.
    """

    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    history: list[dict[str, float]] = field(default_factory=list)
    before: dict[str, float] | None = None


class Pretraining:
    """Trains a network on a corpus.

    Args:
        network: with its initial weights.
        corpus, vocabulary: the text, and the words that are predicted.
        config: how.
        total_steps: updates in all.
        folder: where checkpoint and history go.
        identity: a checkpoint of another identity is refused.
        device: where to compute.
        held_out: returns the perplexity on held-out text.
        measure_before: whether the first weights are worth measuring on it.
        track: gets a copy of every row of the history.
        stop: asked after every update.
    """

    def __init__(
        self,
        *,
        network: PretrainingNetwork,
        corpus: Corpus,
        vocabulary: Vocabulary,
        config: PretrainConfig,
        total_steps: int,
        folder: Path,
        identity: str,
        device: str,
        held_out: Callable[[], Perplexity] | None,
        measure_before: bool,
        track: Tracker,
        stop: Stop,
    ) -> None:
        self.network, self.corpus, self.config, self.total_steps = network, corpus, config, total_steps
        self.folder, self.identity, self.device = folder, identity, device
        self.held_out, self.measure_before, self.track, self.stop = held_out, measure_before, track, stop
        trainer = config.trainer
        self.targets = vocabulary.rows_of(corpus.words)  # (types,)
        self.lengths = np.array([len(word.encode()) for word in corpus.words])  # (types,)
        # Near the whole vocabulary drawing different words would take for ever: then all of it is taken.
        self.negatives = trainer.negatives if trainer.negatives <= len(vocabulary) // 2 else len(vocabulary)
        self.vocabulary_size = len(vocabulary)
        self.windows = Windows(corpus, streams=trainer.streams, steps=trainer.window, seed=config.seed)
        self.optimizers = Optimizers(network, trainer, total_steps=total_steps)
        self.state = network.zero_state(trainer.streams)
        self.progress = Progress()

    @property
    def tokens_a_step(self) -> int:
        """Predictions of each direction in one update."""
        trainer = self.config.trainer
        return trainer.streams * trainer.window * trainer.accumulate

    @property
    def _decay(self) -> tuple[int, int]:
        """The updates between which the learning rate falls: before the first of them, it does not depend on them."""
        return self.total_steps - self.config.trainer.decay_steps, self.total_steps

    def fit(self) -> None:
        """Train to the end, from the checkpoint if there is one.

        Raises:
            Interrupted: a stop was asked for; the checkpoint is written.
            HarnessError: the loss is no longer a number, or the checkpoint is not this training's.
        """
        if (self.folder / CHECKPOINT).exists():
            self._load()
        elif self.measure_before and self.held_out is not None:
            self._measure_before(self.held_out)
        now = self.progress
        self.network.train()
        session_start, session_step = time.perf_counter(), now.step
        while now.step < self.total_steps:
            began = time.perf_counter()
            losses = self._update()
            now.step += 1
            now.seconds += time.perf_counter() - began
            now.losses = [a + b for a, b in zip(now.losses, [*losses, 1.0], strict=True)]
            last = now.step == self.total_steps
            if now.step % self.config.log_every == 0 or now.step % self.config.dev_every == 0 or last:
                speed = (now.step - session_step) * self.tokens_a_step / (time.perf_counter() - session_start)
                self._row(speed)
            if now.step % self.config.checkpoint_every == 0 or last or self.stop.requested:
                self._save()
                self.stop.check()

    def _measure_before(self, held_out: Callable[[], Perplexity]) -> None:
        measured = held_out()
        self.progress.before = asdict(measured)
        self.track.log(_named("dev", measured), step=0)
        log.info("held-out perplexity before: %.1f forward, %.1f backward", measured.forward, measured.backward)

    def _update(self) -> list[float]:
        """Do one update; return the loss of each direction."""
        trainer, step = self.config.trainer, self.progress.step
        sums = torch.zeros(2)
        for part in range(trainer.accumulate):
            generator = np.random.default_rng([self.config.seed, 1, step, part])
            negatives = log_uniform(self.vocabulary_size, self.negatives, generator)
            with torch.autocast(self.device.partition(":")[0], torch.bfloat16, enabled=trainer.precision == "bfloat16"):
                losses, self.state = self.network(self._batch(), self.state, negatives)  # (directions,)
            (losses.sum() / trainer.accumulate).backward()
            sums += losses.detach().cpu() / trainer.accumulate
        norm = self.optimizers.step(step)
        if not math.isfinite(norm) or not bool(torch.isfinite(sums).all()):
            raise HarnessError(
                f"loss {sums.tolist()}, gradient norm {norm} in step {step + 1}; "
                f"lower trainer.lr (now {trainer.lr}) or trainer.grad_norm"
            )
        return [float(loss) for loss in sums]

    def _batch(self) -> Batch:
        window = self.windows.next()
        types, rows = np.unique(window.inputs, return_inverse=True)  # (types,), (positions,)
        order = np.argsort(self.lengths[types], kind="stable")  # (types,)
        place = np.argsort(order)  # (types,)
        return Batch.of(
            [self.corpus.words[row] for row in types[order]],
            torch.from_numpy(place[rows].reshape(window.inputs.shape)),
            torch.from_numpy(self.targets[window.targets]),
            max_chars=self.network.options.max_chars,
            device=self.device,
        )

    def _row(self, speed: float) -> None:
        """Write a row of the history."""
        now = self.progress
        forward, backward, steps = now.losses
        row = {
            "step": now.step,
            "tokens": now.step * self.tokens_a_step,
            "loss/forward": forward / steps,
            "loss/backward": backward / steps,
            "lr": self.optimizers.learning_rate(now.step - 1),
        }
        if self.held_out is not None and (now.step % self.config.dev_every == 0 or now.step == self.total_steps):
            measured = self.held_out()
            row |= _named("dev", measured)
        now.losses = [0.0, 0.0, 0.0]
        now.history.append(row)
        self._write_history()
        self._tell(row | {"tokens_per_s": speed})
        left = (self.total_steps - now.step) * self.tokens_a_step / speed
        log.info(
            "step %d of %d: loss %.3f forward, %.3f backward%s; %.0f tokens/s, %.0f min left",
            now.step,
            self.total_steps,
            row["loss/forward"],
            row["loss/backward"],
            f"; held-out perplexity {row['dev/forward']:.1f}, {row['dev/backward']:.1f}"
            if "dev/forward" in row
            else "",
            speed,
            left / 60,
        )

    def _write_history(self) -> None:
        write_text(self.folder / HISTORY, "".join(json.dumps(row) + "\n" for row in self.progress.history))

    def _tell(self, row: dict[str, float]) -> None:
        self.track.log({name: value for name, value in row.items() if name != "step"}, step=int(row["step"]))

    def _save(self) -> None:
        state = {
            "identity": self.identity,
            "decay": self._decay,
            "progress": asdict(self.progress),
            "network": self.network.state_dict(),
            "optimizers": self.optimizers.state(),
            "windows": self.windows.state(),
            "lstm": [(one.hidden, one.cell) for one in self.state],
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.device.startswith("cuda") else [],
        }
        with replacing(self.folder / CHECKPOINT) as temporary:
            torch.save(state, temporary)

    def _load(self) -> None:
        path = self.folder / CHECKPOINT
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location=self.device)
        except (OSError, RuntimeError, EOFError, UnpicklingError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise HarnessError(f"{path}: not a readable checkpoint ({reason}); delete it to start anew") from None
        if state["identity"] != self.identity:
            raise ConfigError(
                f"{path} is of a training with other options or other text; delete it, or choose another out=DIR"
            )
        begin, end = state["decay"]
        decayed = self.config.trainer.schedule == "constant" and state["progress"]["step"] > min(begin, self._decay[0])
        if decayed and (begin, end) != self._decay:
            raise ConfigError(
                f"{path} is at step {state['progress']['step']}, where the learning rate falls from step {begin} to "
                f"{end}; it can go on only with trainer.max_steps={end} trainer.decay_steps={end - begin}"
            )
        for name, value in state["progress"].items():
            setattr(self.progress, name, value)
        self.network.load_state_dict(state["network"])
        self.optimizers.restore(state["optimizers"])
        self.windows.restore(state["windows"])
        self.state = tuple(LstmState(*tensors) for tensors in state["lstm"])
        torch.set_rng_state(state["rng"].cpu())
        if state["cuda_rng"] and self.device.startswith("cuda"):
            torch.cuda.set_rng_state_all([rng.cpu() for rng in state["cuda_rng"]])
        self._write_history()  # rows that came after the checkpoint are forgotten, and come again
        for row in self.progress.history:
            self._tell(row)
        log.info("going on from %s, step %d", path, self.progress.step)


def _named(split: str, measured: Perplexity) -> dict[str, float]:
    """Name perplexities as the history and the tracker have them."""
    return {
        f"{split}/forward": measured.forward,
        f"{split}/backward": measured.backward,
        f"{split}/average": measured.average,
    }
