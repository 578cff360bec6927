"""Records are written whatever their texts hold, and a damaged one is reported in one line."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from harness import cli
from harness.analysis.report.settings import Damaged, Recorded, gathered, read_records
from harness.config.compose import compose_values
from harness.errors import DataFormatError
from harness.runs.cost_estimate import _finished_records
from harness.runs.environment import _revision
from harness.runs.job import run_job
from harness.runs.outcome import JobState, Outcome
from harness.runs.predictions import write_predictions
from harness.runs.record import RunRecord, read_record, write_record
from harness.sweep.state import SweepFolder
from harness.types import Example, Prediction
from harness.utils.signals import Stop
from tests.support.runs import SMALL, small_run

HALF, BYTE = "\ud83d", os.fsdecode(b"\xff")  # half of an emoji; a byte of a file name that is not UTF-8
FINISHED: dict[str, Any] = {
    "data": {"name": "sample", "sizes": {"train": 10}, "sha256": {"test": "a"}},
    "encoder": {"name": "x", "dim": 8},
    "mixing": {"weights": {"input": [0.5, 0.5]}, "gamma": {"input": 1.0}},
    "primary_metric": "f1",
    "metrics": {"dev": {"f1": 0.5}, "test": {"f1": 0.5}},
    "config": {"task": {"_target_": "x.Y"}, "odd": "${", "text": HALF, "folder": BYTE},
}


def record_of(**changes: Any) -> RunRecord:
    return RunRecord(status="ok", task="ner", name="a-s1", identity="b", seed=1, **(FINISHED | changes))


def test_any_text_can_be_recorded(tmp_path: Path) -> None:
    """A text may look like an interpolation, and may hold what UTF-8 cannot represent."""
    folder = tmp_path / BYTE
    written = record_of(error=f"{HALF}\0\x1b")
    write_record(folder, written)
    assert read_record(folder / "record.json") == written
    config = yaml.safe_load(
        (folder / "config.yaml").read_bytes().replace(b"\\uD83D", b"half").replace(b"\\uDCFF", b"?")
    )
    assert config == {**FINISHED["config"], "text": "half", "folder": "?"}
    example = Example(id="1", texts={"tokens": (HALF, "b")}, target=[HALF])
    write_predictions(folder / "predictions.jsonl", {"test": ([example], [Prediction(id="1", value=BYTE)])})
    row = json.loads((folder / "predictions.jsonl").read_text(encoding="utf-8"))
    assert (row["texts"]["tokens"], row["gold"], row["prediction"]) == ([HALF, "b"], [HALF], BYTE)


def test_a_run_can_write_to_a_folder_whose_name_is_not_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a sweep, whose jobs leave their states as JSON, and whose table reads them."""
    monkeypatch.setattr(sys, "argv", sys.argv)  # the command replaces it, and wandb cannot read such a name there
    folder = tmp_path / BYTE
    folder.mkdir()
    paths = [f"results_dir='{folder}/results'", f"cache_dir='{folder}/cache'"]
    for more in ([], ["-m", "seed=2,3", "hydra/launcher=basic"]):
        with pytest.raises(SystemExit) as exit_:
            cli.main([*more[:1], *SMALL, *more[1:], *paths, "trainer.max_epochs=1"])
        assert exit_.value.code == 0
    records = [read_record(path) for path in folder.glob("results/ner/*/record.json")]
    assert {record.config["results_dir"] for record in records} == {f"{folder}/results"}
    assert {record.seed for record in records} == {1, 2, 3}


DAMAGES: dict[str, Any] = {
    "empty": "",
    "half": '{"schema_version": 2, "task": "n',
    "not UTF-8": b"\xff\xfe",
    "deep": "[" * 100_000,
    "long number": '{"schema_version": ' + "9" * 5000 + "}",
    "a list": [],
    "another version": {"schema_version": 9},
    "version as text": {"schema_version": "2"},
    "version as a list": {"schema_version": [1]},
    "a missing field": {"task": ...},
    "status": {"status": "fine"},
    "seed": {"seed": "one"},
    "metrics": {"metrics": {"test": {"f1": None}}},
    "metrics as a list": {"metrics": [1]},
    "config": {"config": 3},
    "no data": {"data": {}},
    "sizes": {"data": {"name": "x", "sizes": {"train": "many"}}},
    "digests": {"data": {"name": "x", "sha256": 7}},
    "weights": {"mixing": {"weights": {"input": 5}, "gamma": {}}},
    "gamma": {"mixing": {"weights": {}, "gamma": [1]}},
    "task": {"config": {"task": "ner"}},
    "packages": {"environment": {"packages": ["torch"]}},
    "overrides": {"environment": {"overrides": "seed=1"}},
    "half a code length": {"code_length": {"bits": 10.0, "uniform_bits": 20.0}},
    "a code length as text": {"code_length": {"bits": "10", "uniform_bits": 20.0, "compression": 2.0}},
    "a code length that is NaN": {"code_length": {"bits": float("nan"), "uniform_bits": 20.0, "compression": 2.0}},
    "an endless code": {"code_length": {"bits": float("inf"), "uniform_bits": 20.0, "compression": 0.0}},
    "a negative code length": {"code_length": {"bits": -1.0, "uniform_bits": 20.0, "compression": 2.0}},
}


def damaged(folder: Path, damage: Any) -> Path:
    """Write a damaged record into a folder of its own."""
    path = folder / "record.json"
    folder.mkdir(parents=True)
    if isinstance(damage, dict):
        values = asdict(record_of()) | damage
        damage = {key: value for key, value in values.items() if value is not ...}
    text = damage if isinstance(damage, (str, bytes)) else json.dumps(damage)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_record_is_one_line(damage: Any, tmp_path: Path) -> None:
    path = damaged(tmp_path / "run", damage)
    with pytest.raises(DataFormatError) as caught:
        read_record(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 400 + len(str(path))
    assert "\n" not in str(caught.value)


def test_damaged_records_in_a_folder_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_record(tmp_path / "ner" / "good", record_of())
    for number, damage in enumerate(DAMAGES.values()):
        damaged(tmp_path / "ner" / f"{number}", damage)
    with caplog.at_level(logging.WARNING):
        found = read_records(tmp_path)
    assert [run.folder.name for run in found if isinstance(run, Recorded)] == ["good"]
    notes = gathered(found).notes  # in every file of a report and below every table
    assert len(notes) == len(caplog.records) == len(DAMAGES)
    assert all(note.startswith(f"A run is left out, because this file cannot be read: {tmp_path}") for note in notes)
    assert all(one.getMessage().startswith(f"left out: {tmp_path}") for one in caplog.records)  # and the reason
    assert _finished_records(tmp_path / "ner") == []  # it has no time


def test_a_sweep_with_a_damaged_state_or_record_has_a_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_record(tmp_path / "ner" / "good", record_of())
    damaged(tmp_path / "ner" / "bad", "{")
    jobs = tmp_path / "sweeps" / "x" / "jobs"
    jobs.mkdir(parents=True)
    states = {
        "1": asdict(JobState([], Outcome("ok", folder="results/ner/good"), "host", 1)),
        "2": asdict(JobState([], Outcome("ok", folder="results/ner/bad"), "host", 1)),
        "2b": asdict(JobState([], Outcome("ok", folder="elsewhere/ner/bad"), "host", 1)),  # the same run, once only
        "2c": asdict(JobState([], Outcome("ok", folder="results/ner/deleted"), "host", 1)),
        "3": {"outcome": {"status": "fine"}},
        "4": {"host": "a"},
        "5": [],
        "6": asdict(JobState([], Outcome("running"), "host", 1)),
    }
    for name, state in states.items():
        (jobs / f"{name}.json").write_text(json.dumps(state))
    (jobs / "7.json").write_text("{")
    folder = tmp_path / "sweeps" / "x"
    found = read_records(folder)
    assert [run.folder.name for run in found if isinstance(run, Recorded)] == ["good"]
    lost = [f"ner/{run}/record.json" for run in ("bad", "deleted")] + [f"sweeps/x/jobs/{n}.json" for n in (3, 4, 5, 7)]
    assert [run.path for run in found if isinstance(run, Damaged)] == [tmp_path / name for name in lost]
    assert [text.partition(":")[0] == "left out" for text in caplog.messages] == [False] * 4 + [True] * 2
    table = SweepFolder(folder).write_table()
    assert f"{table}\n" == (folder / "table.md").read_text()
    assert sum(line.startswith("A run is left out") for line in table.splitlines()) == len(lost)
    assert " | 1 | " in table


@pytest.mark.parametrize(
    ("best", "epochs", "trainer", "dev", "was_cut"),
    [
        (8, 8, {"max_epochs": 8, "patience": 3}, 0.5, True),
        (6, 8, {"max_epochs": 8, "patience": 3}, 0.5, True),
        (5, 8, {"max_epochs": 8, "patience": 3}, 0.5, False),
        (5, 8, {"max_epochs": 9, "patience": 3}, 0.5, False),
        (1, 8, {"max_epochs": 8, "patience": 3}, 0.0, True),  # patience is not counted while all scores are zero
        (1, 4, {"max_epochs": 4, "patience": 3}, 0.0, True),
        (1, 1, {"max_epochs": 1, "patience": 3}, 0.5, False),  # a trial, or a head that is fitted in one pass
        (8, 8, {}, 0.5, False),  # a record of other origin
    ],
)
def test_a_run_is_cut_if_not_ended_by_patience(
    best: int, epochs: int, trainer: dict[str, int], dev: float, was_cut: bool
) -> None:
    changes = {"config": {"trainer": trainer}, "metrics": {"dev": {"f1": dev}}}
    assert record_of(best_epoch=best, epochs=epochs, **changes).was_cut is was_cut


def test_records_of_version_1_can_be_read(tmp_path: Path) -> None:
    old = asdict(replace(record_of(), schema_version=1))
    del old["determining"]
    damaged(tmp_path / "run", "").write_text(json.dumps(old))
    assert read_record(tmp_path / "run" / "record.json") == replace(record_of(), schema_version=1)


def test_a_request_that_cannot_start_is_recorded_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    monkeypatch.setenv("PLACE", str(tmp_path))
    wrong: dict[str, Any] = {"seed": "one", "results_dir": "${oc.env:PLACE}/r", "api": "${oc.env:TOKEN}", "shard": None}
    outcome = run_job(OmegaConf.create(wrong), stop=Stop(), name="x", task="ner")
    assert outcome.status == "failed"
    (path,) = tmp_path.glob("r/ner/bad-request-*/record.json")
    record = read_record(path)
    assert (record.status, record.config["api"], record.seed) == ("failed", "${oc.env:TOKEN}", 0)
    assert "s3cret" not in path.read_text() + (path.parent / "config.yaml").read_text()
    wrong["results_dir"] = "${oc.env:NOWHERE}"
    assert run_job(OmegaConf.create(wrong), stop=Stop(), name="x", task="ner").status == "failed"
    (tmp_path / "file").write_text("")
    wrong["results_dir"] = str(tmp_path / "file")
    assert run_job(OmegaConf.create(wrong), stop=Stop(), name="x", task="ner").status == "failed"
    assert sum("not recorded" in one.getMessage() for one in caplog.records) == 2


def test_the_reason_of_a_failure_quotes_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    config = compose_values("config", [f"results_dir={tmp_path}/r", "trainer.lr=${oc.env:TOKEN}"])
    outcome = run_job(config, stop=Stop(), name="x", task="ner")
    assert "trainer.lr is '${oc.env:TOKEN}'; expected float" in outcome.reason
    (path,) = tmp_path.glob("r/ner/bad-request-*/record.json")
    assert "s3cret" not in path.read_text()


def test_a_secret_is_in_no_file_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, Any] = {}
    monkeypatch.setattr("harness.runs.tracker.build_tracker", lambda *_, **supplied: sent.update(supplied) or Silent())
    monkeypatch.setenv("TOKEN", "0.00123")
    small_run(tmp_path, "trainer.max_epochs=1", 'mixing.lambda_="${oc.decode:${oc.env:TOKEN}}"')
    (folder,) = tmp_path.glob("results/ner/*")
    written = [path.read_bytes() for path in folder.iterdir() if path.suffix != ".safetensors"]
    assert not any(b"0.00123" in content for content in written)
    assert "0.00123" not in str(sent)
    assert sent["config"]["lambda"] == "${oc.env:TOKEN}"


def test_a_finished_run_of_the_same_examples_says_what_its_record_calls_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small_run(tmp_path, "trainer.max_epochs=1")
    (path,) = tmp_path.glob("results/ner/*/record.json")
    path.write_text(path.read_text().replace('"name": "sample"', '"name": "my_files"'))
    with caplog.at_level(logging.INFO):
        assert small_run(tmp_path, "trainer.max_epochs=1").data["name"] == "my_files"
    assert "called 'my_files', but are the same examples as those of 'sample'" in caplog.text


class Silent:
    """A tracker that does nothing."""

    def log(self, *_: Any, **__: Any) -> None: ...

    def finish(self, *_: Any) -> None: ...


def test_only_code_and_configs_make_a_revision_dirty(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=b", *words], check=True)

    for name in ("harness/a.py", "tasks/b.py", "conf/c.yaml", "pyproject.toml", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "a")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.md").write_text("")
    (tmp_path / "README.md").write_text("x")
    assert _revision(tmp_path)["dirty"] is False
    assert len(_revision(tmp_path)["revision"]) == 40
    (tmp_path / "tasks" / "new.py").write_text("")
    assert _revision(tmp_path)["dirty"] is True
    (tmp_path / "tasks" / "new.py").unlink()
    (tmp_path / "conf" / "c.yaml").write_text("x")
    assert _revision(tmp_path)["dirty"] is True
    assert _revision(tmp_path / "nothing") == {"revision": None, "dirty": None}
