"""``python -m harness sample`` writes files that the task itself can read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.commands.sample import main
from harness.config.instantiate import build
from harness.protocols import Task
from harness.types import SPLITS
from tests.support.runs import config_of

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("classification", "coref", "edges", "ner", "pos", "snli", "squad", "srl", "sst5", "tagging")


@pytest.mark.parametrize("name", TASKS)
def test_written_samples_are_the_sample(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "sample"), f"task={name}"]) == 0
    written = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.stem for path in written] == list(SPLITS)
    sample = build(config_of(tmp_path, f"task={name}").task, kind=Task, where="task")
    files = [f"data.{split}={path}" for split, path in zip(SPLITS, written, strict=True)]
    read = build(config_of(tmp_path, f"task={name}", "data=files", *files).task, kind=Task, where="task")
    for split in SPLITS:
        assert [e.texts for e in read.examples(split)] == [e.texts for e in sample.examples(split)]
        assert [e.target for e in read.examples(split)] == [e.target for e in sample.examples(split)]


def test_a_wrong_task_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "task=nre"]) == 2
    assert "task=nre: there is no such choice; did you mean 'ner'?" in capsys.readouterr().err


def test_a_task_of_the_user_may_be_built_on_ours(tmp_path: Path) -> None:
    """Its module imports our package ``tasks``, although the working directory has a ``tasks.py`` too."""
    (tmp_path / "tasks.py").write_text("raise RuntimeError('the tasks.py of the working directory was imported')")
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "mine.yaml").write_text("_target_: mine.Mine\ndata: ${data}\n")
    (tmp_path / "mine.py").write_text(
        "from tasks.pos.task import PosTagging\n\nclass Mine(PosTagging):\n    name = 'mine'\n"
    )
    command = [sys.executable, "-m", "harness", "sample", "--config-dir", "conf", "out", "task=mine", "plugins=[mine]"]
    search = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": search}, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert len(list((tmp_path / "out").iterdir())) == 3
