"""Sweeps on the command line: their table and exit status, runs that fail, and a signal."""

import signal
from pathlib import Path
from typing import Any

import pytest

from harness.runs.record import read_record
from tests.test_cli import harness

BASIC = "hydra/launcher=basic"  # one job after the other in this process, which is faster for a few short jobs


def test_in_a_sweep_a_failed_run_is_recorded_and_the_others_continue(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert harness(tmp_path, "-m", "mixing=layer", "mixing.index=7,0", "task.scheme=bix,auto", BASIC) == 1
    errors = capfd.readouterr().err
    assert "3 of 4 runs did not succeed:" in errors
    assert "mixing.index is 7" in errors
    assert "task.scheme is 'bix'" in errors
    records = [read_record(path) for path in (tmp_path / "results").glob("*/*/record.json")]
    assert sorted(record.status for record in records) == ["failed"] * 3 + ["ok"]
    assert harness(tmp_path, "-m", "mixing=layer", "mixing.index=0", BASIC) == 0


def test_a_preset_that_is_a_sweep_needs_no_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``-m`` it is expanded, filled and reported like any sweep."""
    assert harness(tmp_path, "experiment=layers", "dry_run=true") == 0
    assert "\n12 jobs: 0 finished, 12 to run" in capsys.readouterr().out
    for text in ("the sweep took", "1 of 1 runs are finished"):
        assert harness(tmp_path, "experiment=layers", "mixing=layer_1", "seed=1") == 0
        assert text in capsys.readouterr().err
    (path,) = (tmp_path / "results").glob("ner/*/record.json")
    assert read_record(path).timing["tokens_encoded"] == 0  # the sweep encoded before the run
    assert len(list((tmp_path / "results" / "sweeps").glob("layers*/table.md"))) == 1


def test_a_sweep_writes_its_table(tmp_path: Path) -> None:
    assert harness(tmp_path, "-m", "mixing=layer", "mixing.index=0,7,1") == 1
    (path,) = (tmp_path / "results" / "sweeps").glob("*/table.md")
    lines = path.read_text().splitlines()
    assert [line.split(" | ")[1] for line in lines if line.startswith(("| 1 |", "| 2 |"))] == ["0", "1"]
    assert "layer" in lines[2]
    failed = [r for r in map(read_record, (tmp_path / "results").glob("ner/*/record.json")) if r.status == "failed"]
    assert [record.error for record in failed] == ["ConfigError: mixing.index is 7; the encoder has layers 0 to 2"]


def test_a_signal_stops_a_sweep_even_at_the_end_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The signal arrives when the current run has just finished."""
    from harness.runs import run as run_module

    execute = run_module._execute

    def signalled(*arguments: Any) -> Any:
        record = execute(*arguments)
        signal.raise_signal(signal.SIGTERM)
        return record

    monkeypatch.setattr(run_module, "_execute", signalled)
    assert harness(tmp_path, "-m", "seed=1,2,3", BASIC) == 1
    assert "2 of 3 runs did not succeed" in capfd.readouterr().err
    records = [read_record(path) for path in (tmp_path / "results").glob("ner/*/record.json")]
    assert [record.status for record in records] == ["ok"]


def test_a_sweep_encodes_once(tmp_path: Path) -> None:
    assert harness(tmp_path, "-m", "mixing=top,mean", "seed=1") == 0
    records = [read_record(path) for path in (tmp_path / "results").glob("ner/*/record.json")]
    assert [record.timing["tokens_encoded"] for record in records] == [0, 0]  # the sweep encoded before the first run
    assert [record.timing["cache_hit_rate"] for record in records] == [1.0, 1.0]
