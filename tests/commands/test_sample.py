"""``python -m harness sample`` writes files that the task itself can read."""

from pathlib import Path

import pytest

from harness.commands.sample import main
from harness.config.instantiate import build
from harness.protocols import Task
from harness.types import SPLITS
from tests.support.runs import config_of

TASKS = ("ner", "pos", "snli", "squad", "sst5")


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
