"""A training that was stopped or has finished, and whose files were changed since: one line says what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from harness.errors import HarnessError
from harness.pretrain.exported_model import RECORD
from harness.pretrain.trainer import CHECKPOINT
from harness.utils.checkpoint import reading_checkpoint, write_checkpoint
from harness.utils.signals import Interrupted
from tests.pretrain.test_pretrain import train, write_texts
from tests.runs.test_run import StopAfter


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_texts(tmp_path_factory.mktemp("finished"))
    train(folder)
    return folder


@pytest.fixture(scope="module")
def stopped_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_texts(tmp_path_factory.mktemp("stopped"))
    with pytest.raises(Interrupted):
        train(folder, stop=StopAfter(3))
    return folder


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Path:
    """Return a folder of its own for the test, with text and a finished training."""
    return Path(shutil.copytree(finished_once, tmp_path, dirs_exist_ok=True))


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """Return a folder of its own for the test, with text and a training that was stopped."""
    return Path(shutil.copytree(stopped_once, tmp_path, dirs_exist_ok=True))


def test_a_checkpoint_with_other_options_is_refused(stopped: Path) -> None:
    with pytest.raises(HarnessError, match="other options or other text"):
        train(stopped, "trainer.lr=0.02")


def without(*keys: str) -> Callable[[dict], None]:
    def change(state: dict) -> None:
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("progress"),
        without("identity"),
        without("lstm"),
        without("windows", "taken"),
        without("network", "softmax.bias"),
        lambda state: state["progress"].update(steps=1),
        lambda state: state["progress"].update(seconds=10**400),
        lambda state: state["progress"].update(history=[{"step": 99.0}]),
        lambda state: state["windows"].update(current=[10**6] * 8),
        lambda state: state["windows"].update(offset=[99] * 8),
        lambda state: state.update(lstm=[(one, two[:, :, :1]) for one, two in state["lstm"]]),
        lambda state: state["network"].update({"softmax.bias": torch.zeros(3)}),
        lambda state: state["optimizers"].pop(),
        lambda state: state["optimizers"][1]["param_groups"][0]["params"].pop(),
        lambda state: state.update(lstm=[(one[:, :1], two[:, :1]) for one, two in state["lstm"]]),
        lambda state: state.update(lstm=state["lstm"][:1]),
        lambda state: state.update(rng=state["rng"][:5]),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_one_line_with_the_fix(stopped: Path, change: Callable[[dict], None]) -> None:
    path = stopped / "out" / CHECKPOINT
    with reading_checkpoint(path, device="cpu") as state:
        change(state)
    write_checkpoint(path, state)
    with pytest.raises(HarnessError, match=r"this checkpoint cannot be used .*; delete it to restart$") as caught:
        train(stopped)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [5, 0.3, 0.6, 0.9, -1])
def test_one_changed_byte_of_a_checkpoint_is_noticed(stopped: Path, place: float) -> None:
    path = stopped / "out" / CHECKPOINT
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 4
    path.write_bytes(content)
    with pytest.raises(HarnessError, match=r"it is damaged.*; delete it to restart$"):
        train(stopped)


def test_a_training_restarts_without_its_checkpoint(stopped: Path) -> None:
    (stopped / "out" / CHECKPOINT).unlink()
    train(stopped)


@pytest.mark.parametrize("content", ["", "[]", "{}", "{", "[" * 100_000, "3", '{"identity": "x"}'])
def test_a_damaged_record_is_one_line_with_the_fix(finished: Path, content: str) -> None:
    path = finished / "out" / RECORD
    path.write_text(content)
    with pytest.raises(HarnessError, match=r"not (the record of a training|JSON) .*; delete it to train") as caught:
        train(finished)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(parameters="1"),
        lambda record: record["perplexity"].pop("before"),
    ],
)
def test_a_record_without_what_is_shown_is_one_line(finished: Path, change: Callable[[dict], None]) -> None:
    record = json.loads((finished / "out" / RECORD).read_text())
    change(record)
    (finished / "out" / RECORD).write_text(json.dumps(record))
    with pytest.raises(HarnessError, match=r"not the record of a training .*; delete it to train again$"):
        train(finished)
