"""Complete runs on a GPU: every task trains, the same run gives the same result, and so does a resumed run."""

from pathlib import Path

import pytest
import torch

from harness.runs.record import RunRecord
from harness.runs.run import run
from harness.utils.signals import Stop
from tests.support.runs import SMALL, StopAfter, config_of

pytestmark = pytest.mark.gpu

ENCODER = [option for option in SMALL if option.startswith("encoder")]
TASKS = {
    "ner": [option for option in SMALL if option.startswith("task.")],
    "pos": ["task.head=bilstm"],
    "sst5": [],
    "snli": [],
    "squad": [],
    "coref": [],
    "srl": ["task.deep_bilstm.hidden_dim=16"],
}


def gpu_run(folder: Path, task: str, *overrides: str, stop: Stop | None = None) -> RunRecord:
    quick = ["tracking=none", "embedding=none", "data.fraction=0.05", "trainer.max_epochs=2", "device=cuda"]
    return run(config_of(folder, f"task={task}", *ENCODER, *TASKS[task], *quick, *overrides), stop=stop or Stop())


@pytest.mark.parametrize("task", TASKS)
def test_the_same_run_gives_the_same_result(task: str, tmp_path: Path) -> None:
    first, second = (gpu_run(tmp_path / name, task, "mixing.placement=both") for name in "ab")
    assert first.status == second.status == "ok"
    assert first.environment["gpu"] == torch.cuda.get_device_name()
    assert first.metrics == second.metrics
    assert first.mixing == second.mixing


def test_a_resumed_run_has_the_metrics_of_an_uninterrupted_one(tmp_path: Path) -> None:
    uninterrupted = gpu_run(tmp_path / "a", "ner", "trainer.max_epochs=4")
    assert gpu_run(tmp_path / "b", "ner", "trainer.max_epochs=4", stop=StopAfter(7)).status == "interrupted"
    again = gpu_run(tmp_path / "b", "ner", "trainer.max_epochs=4")
    assert again.status == "ok"
    assert again.metrics == uninterrupted.metrics
