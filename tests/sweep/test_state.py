"""The folder of a sweep: the states of its jobs, damaged ones too, and one sweep at a time."""

import json
import logging
from pathlib import Path

import pytest

from harness.analysis.report.settings import Damaged, Recorded, records_of_sweep
from harness.errors import ConfigError
from harness.runs.outcome import Outcome
from harness.sweep.state import SweepFolder
from tests.support.runs import small_run
from tests.support.sweeps import sweep

FIRST, SECOND = ("seed=1",), ("seed=2",)


def test_a_new_sweep_forgets_what_is_not_finished(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    finished = {FIRST: Outcome("ok", folder="somewhere")}
    folder.open([FIRST, SECOND], {})
    folder.write_outcome(FIRST, Outcome("ok", folder="elsewhere"))
    folder.write_outcome(SECOND, Outcome("running"))
    folder.stop()
    folder.open([FIRST, SECOND], finished)
    assert not folder.stopped
    state = folder.read_state(FIRST)
    assert state is not None
    assert state.outcome == finished[FIRST]
    assert folder.read_state(SECOND) is None
    folder.open([FIRST], {})
    assert folder.read_state(FIRST) is None


DAMAGED = {
    "not JSON": "{",
    "empty": "",
    "of another type": "[1]",
    "without an outcome": '{"overrides": [], "host": "a", "pid": 1}',
    "an outcome of another type": '{"overrides": [], "outcome": "ok", "host": "a", "pid": 1}',
    "an unknown status": '{"overrides": [], "outcome": {"status": "fine"}, "host": "a", "pid": 1}',
    "a folder that is a number": '{"overrides": [], "outcome": {"status": "ok", "folder": 3}, "host": "a", "pid": 1}',
    "a process that is a word": '{"overrides": [], "outcome": {"status": "ok"}, "host": "a", "pid": "b"}',
    "deeply nested": "[" * 100_000,
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_state_is_skipped_with_one_line(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = small_run(tmp_path, "trainer.max_epochs=1")
    folder = SweepFolder(tmp_path / "results" / "sweeps" / "mine")
    folder.write_outcome(FIRST, Outcome("ok", folder=f"{record.task}/{record.name}-{record.identity}"))
    folder.write_outcome(SECOND, Outcome("running"))
    (path,) = [path for path in (folder.path / "jobs").iterdir() if "seed=2" in path.read_text()]
    path.write_text(DAMAGED[kind])
    with caplog.at_level(logging.WARNING):
        found, lost = records_of_sweep(folder.path)
        assert isinstance(found, Recorded)
        assert found.record == record
        assert lost == Damaged(path)
        assert record.name.removesuffix("-s1") in folder.write_table()
    assert len(caplog.messages) == 2  # one for each time that it is read
    assert all(message.startswith(f"{path}: not the state of a job, so it is skipped") for message in caplog.messages)
    assert all("\n" not in message for message in caplog.messages)
    assert folder.read_state(SECOND) is None
    assert folder.read_state(FIRST) is not None


def test_a_second_sweep_of_one_name_is_refused_while_the_first_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = SweepFolder(tmp_path / "results" / "sweeps" / "mine")
    with folder.claimed():
        with pytest.raises(ConfigError, match="is running a sweep of this name"), SweepFolder(folder.path).claimed():
            pass
        assert sweep(tmp_path, "sweep=mine", "seed=1") == 2
        assert "choose another name with sweep=NAME" in capsys.readouterr().err
        assert not (folder.path / "sweep.json").exists()
        assert sweep(tmp_path, "sweep=mine", "seed=1", "dry_run=true") == 0  # it writes nothing
    assert sweep(tmp_path, "sweep=mine", "seed=1") == 0
    assert json.loads((folder.path / "sweep.json").read_text())["jobs"]


def test_a_folder_whose_name_no_file_can_have_is_skipped(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "sweeps" / "s")
    folder.write_outcome(("seed=1",), Outcome("ok", 0, "", "a/" + "b" * 5000))
    assert folder.write_table() == ""
