"""A checkpoint that does not fit the run is one line that says what to delete, whatever is wrong with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import HarnessError
from harness.utils.checkpoint import reading_checkpoint, write_checkpoint
from harness.utils.signals import Interrupted
from tests.support.runs import StopAfter, small_run
from tests.support.training import BATCHES, scripted

State = dict[str, Any]
OPTIONS: State = {"average": 0.9, "optimizer": "Adam", "plateau_patience": 1}
SCORES = (0.1, 0.2, 0.3)


def replaced(*keys: str | int, value: Any) -> Callable[[State], None]:
    """Return a change of one value of a checkpoint."""

    def change(state: State) -> None:
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value

    return change


def removed(*keys: str | int) -> Callable[[State], None]:
    """Return a change that removes one value of a checkpoint."""

    def change(state: State) -> None:
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]

    return change


WEIGHT = "head.line.weight"
CHANGES = {
    "epoch": replaced("progress", "epoch", value=999),
    "best epoch": replaced("progress", "best_epoch", value=2),
    "history": replaced("progress", "history", value=[]),
    "unknown progress": replaced("progress", "steps", value=1),
    "progress of another type": replaced("progress", "epoch", value=[]),
    "history of other epochs": replaced("progress", "history", 0, "epoch", value=2),
    "history without epochs": removed("progress", "history", 0, "epoch"),
    "negative step": replaced("progress", "step", value=-1),
    "step after the end": replaced("progress", "step", value=10**400),
    "loss that no float holds": replaced("progress", "loss_sum", value=10**400),
    "best that is nothing": replaced("best", value=None),
    "average after no number of steps": replaced("average", "steps", value={}),
    "no progress": removed("progress"),
    "no model": removed("model"),
    "other shape": replaced("model", WEIGHT, value=torch.zeros(1, 4)),
    "shape that broadcasts": replaced("model", WEIGHT, value=torch.zeros(1, 1)),
    "other type": replaced("model", WEIGHT, value=torch.zeros(1, 3, dtype=torch.float64)),
    "other name": replaced("model", "head.other", value=torch.zeros(1)),
    "missing name": removed("model", WEIGHT),
    "best of another shape": replaced("best", WEIGHT, value=torch.zeros(2, 3)),
    "missing name in best": removed("best", WEIGHT),
    "average of another shape": replaced("average", "average", WEIGHT, value=torch.zeros(1, 1)),
    "average without a name": removed("average", "average", WEIGHT),
    "no average": removed("average"),
    "no optimiser": removed("optimizer"),
    "optimiser of another model": replaced("optimizer", "param_groups", value=[]),
    "no schedule": removed("schedule"),
    "no random state": removed("rng"),
    "random state of another size": replaced("rng", value=torch.zeros(3, dtype=torch.uint8)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_checkpoint_that_does_not_fit_is_refused(change: Callable[[State], None], tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        scripted(tmp_path, SCORES, stop=StopAfter(BATCHES + 2), **OPTIONS).fit()
    path = tmp_path / "checkpoint.pt"
    with reading_checkpoint(path, device="cpu") as state:
        change(state)
    write_checkpoint(path, state)
    with pytest.raises(
        HarnessError, match=f"{path}: this checkpoint cannot be used .*; delete it to restart"
    ) as caught:
        scripted(tmp_path, SCORES, **OPTIONS).fit()
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    path.unlink()
    scripted(tmp_path, SCORES, **OPTIONS).fit()


def test_a_run_with_a_damaged_checkpoint_fails_with_the_fix_and_can_be_repeated(tmp_path: Path) -> None:
    small_run(tmp_path, stop=StopAfter(9))
    (path,) = tmp_path.glob("results/ner/*/checkpoint.pt")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(HarnessError, match=r"it is damaged.*; delete it to restart"):
        small_run(tmp_path)
    path.unlink()
    assert small_run(tmp_path).status == "ok"
