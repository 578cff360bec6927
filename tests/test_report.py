"""The table over seeds, computed by hand."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.records import RunRecord
from harness.report import main, table


def record(seed: int, test: float, *, lr: float = 0.1, status: str = "ok", name: str = "random") -> RunRecord:
    return RunRecord(
        status=status,  # type: ignore[arg-type]
        task="ner",
        name=f"{name}-s{seed}",
        identity=f"{seed}",
        setting=f"{name} {lr}",
        seed=seed,
        data={"name": "sample"},
        primary_metric="f1",
        metrics={"dev": {"f1": 0.5}, "test": {"f1": test}} if status == "ok" else {},
        epochs=3,
        parameters=1234,
        config={"seed": seed, "encoder": {"name": name}, "trainer": {"lr": lr}, "results_dir": f"{seed}"},
    )


def test_mean_and_sample_deviation_over_seeds() -> None:
    lines = table([record(1, 0.40), record(2, 0.50), record(3, 0.60)]).splitlines()
    assert lines[2:] == ["| ner | sample | random | f1 | 3 | 50.00 ± 0.00 | 50.00 ± 10.00 | 3.0 | 1,234 |"]


def test_settings_that_differ_are_apart_and_named_by_what_differs() -> None:
    text = table([record(1, 0.4), record(2, 0.5), record(1, 0.7, lr=0.2), record(1, 0.3, name="none")])
    assert "| ner | sample | none | f1 | 1 | 50.00 | 30.00 |" in text
    assert "| ner | sample | random trainer.lr=0.1 | f1 | 2 | 50.00 ± 0.00 | 45.00 ± 7.07 |" in text
    assert "| ner | sample | random trainer.lr=0.2 | f1 | 1 | 50.00 | 70.00 |" in text


def test_failed_runs_are_counted_not_averaged() -> None:
    text = table([record(1, 0.4), record(2, 0.0, status="failed")])
    assert "| 1 | 50.00 | 40.00 |" in text
    assert "1 of 2 runs did not end well" in text


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for one in (record(1, 0.4), record(2, 0.5)):
        folder = tmp_path / one.name
        folder.mkdir()
        (folder / "record.json").write_text(json.dumps(asdict(one)))
    assert main([str(tmp_path)]) == 0
    assert "45.00 ± 7.07" in capsys.readouterr().out
    assert main([str(tmp_path / "nothing")]) == 2
    assert "no record.json below it" in capsys.readouterr().err
    (tmp_path / "random-s1" / "record.json").write_text('{"schema_version": 9}')
    assert main([str(tmp_path)]) == 2
    assert "schema version 9; this harness reads version 1" in capsys.readouterr().err
