"""A head that learns in one pass: what it sees, what is recorded, and that nothing else may want to learn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.config.schema import TrainerConfig
from harness.errors import ConfigError
from harness.protocols import Fitted
from harness.runs.record import folder_of
from harness.runs.run import run
from harness.training.fitting import fit_in_one_pass
from harness.training.model import Model
from harness.training.trainer import Progress
from harness.types import Batch, Example, Prediction, TokenVectors
from harness.utils.signals import Interrupted, Stop
from tests.support.runs import StopAfter, config_of
from tests.support.trained import TINY_ENCODER
from tests.support.training import ScriptedTask, _NoFeatures

LENGTHS = (3, 1, 2, 1, 3)
EXAMPLES = tuple(Example(id=str(i), texts={"tokens": ("w",) * n}, target=0.0) for i, n in enumerate(LENGTHS))


class Seen(nn.Module):
    """Remembers the examples that it observes, and in which mode."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.modes: set[tuple[bool, bool]] = set()
        self.number: Tensor
        self.register_buffer("number", torch.zeros((), dtype=torch.int64))

    def observe(self, _: Mapping[str, TokenVectors], batch: Batch) -> None:
        self.ids += [example.id for example in batch.examples]
        self.modes.add((self.training, torch.is_grad_enabled()))
        self.number += len(batch.examples)

    def predict(self, _: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        return [Prediction(id=example.id, value=1) for example in batch.examples]


class Tracked:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.logged: list[tuple[dict[str, Any], int]] = []

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        self.logged.append((dict(values), step))


def fit(size: int, stop: Stop | None = None) -> tuple[Seen, Progress, Tracked, Tensor]:
    head, progress, track = Seen(), Progress(), Tracked()
    model = Model(features=_NoFeatures(), head=head)  # type: ignore[arg-type]
    fit_in_one_pass(
        task=ScriptedTask([0.7], 1),  # type: ignore[arg-type]
        model=model,
        train=EXAMPLES,
        dev=EXAMPLES,
        options=TrainerConfig(eval_batch_size=size),
        track=track,  # type: ignore[arg-type]
        stop=stop or Stop(),
        state=progress,
    )
    return head, progress, track, model.trained()["head.number"]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_each_example_is_seen_once_in_the_same_order(size: int) -> None:
    head, progress, track, number = fit(size)
    assert head.ids == ["1", "3", "2", "0", "4"]  # by length, equal ones as in the file
    assert head.modes == {(False, False)}  # evaluation mode, no gradients
    assert int(number) == 5  # what it learned is what a run saves
    assert (progress.epoch, progress.best_epoch, progress.best_score) == (1, 1, 0.7)
    assert progress.history == [{"epoch": 1, "dev/score": 0.7}]
    assert track.logged == [({"dev/score": 0.7}, 1)]
    assert isinstance(head, Fitted)
    assert not isinstance(nn.Linear(1, 1), Fitted)


def test_a_head_that_could_learn_in_both_ways_is_refused() -> None:
    class Both(Seen):
        def loss(self, *_: Any) -> Tensor:
            return torch.zeros(())

    with pytest.raises(ConfigError, match=r"^Both has loss and observe; a head that learns from gradients must not"):
        Model(features=_NoFeatures(), head=Both())  # type: ignore[arg-type]


def test_a_stop_ends_the_pass() -> None:
    with pytest.raises(Interrupted):
        fit(1, stop=StopAfter(2))


def test_a_stopped_run_starts_again_and_gives_the_same(tmp_path: Path) -> None:
    options = (*TINY_ENCODER, "task=wsd", "tracking=none", "threads=1", "trainer.eval_batch_size=20")
    stopped = config_of(tmp_path / "stopped", *options)
    assert run(stopped, stop=StopAfter(3)).status == "interrupted"
    again, whole = run(stopped, stop=Stop()), run(config_of(tmp_path / "whole", *options), stop=Stop())
    same = ("identity", "metrics", "weights_sha256", "epochs", "best_epoch", "parameters")
    assert {name: getattr(again, name) for name in same} == {name: getattr(whole, name) for name in same}
    assert not list(folder_of(again, stopped.results_dir).glob("checkpoint*"))
