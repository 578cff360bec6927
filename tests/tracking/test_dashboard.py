"""The view of a wandb project: what it shows is what runs log."""

import json
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config.compose import CONF
from harness.runs.run import run
from harness.tracking.dashboard import AXES, main
from harness.tracking.wandb_tracker import wandb_tracker
from harness.utils.signals import Stop
from tests.support.runs import SMALL, config_of
from tests.sweep.test_sweep import sweep


def specified(folder: Path, *arguments: str) -> str:
    pytest.importorskip("wandb_workspaces", reason="needs the extra dashboard")
    assert main(["--out", str(folder / "view.json"), *arguments]) == 0
    return (folder / "view.json").read_text()


def test_the_specification_names_what_runs_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = specified(tmp_path, "--group", "table2-ab12cd")
    assert json.loads(spec)["displayName"] == "ablations"
    seen: dict[str, Any] = {}

    class Seen:
        def log(self, values: dict[str, float], *, step: int) -> None:
            seen["logged"] = set(values)

        def finish(self, record: dict[str, Any], files: dict[str, str]) -> None:
            seen["record"] = record

    @wraps(wandb_tracker)
    def tracker(**arguments: Any) -> Any:
        seen["config"] = set(arguments["config"])
        return Seen()

    monkeypatch.setattr("harness.tracking.wandb_tracker.wandb_tracker", tracker)
    small = [one for one in SMALL if not one.startswith("tracking")]
    run(config_of(tmp_path, *small, "tracking=wandb", "mixing.placement=both"), stop=Stop())
    assert set(AXES) <= seen["config"]
    for name in ("dev/f1", "train/loss", "mix/input/s0", "mix/output/s2", "mix/input/gamma"):
        assert name in seen["logged"]
        assert f'"{name}"' in spec
    for split in ("dev", "test"):
        assert "f1" in seen["record"]["metrics"][split]
        assert f"{split}/f1" in spec
    for name in ("train_s", "encode_s"):
        assert name in seen["record"]["timing"]
        assert f"time/{name}" in spec
    for axis in AXES:
        assert f"{axis}.value" in spec or f"config:{axis}" in spec, axis
    assert "table2-ab12cd" in spec


def test_without_a_key_the_specification_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("wandb_workspaces", reason="needs the extra dashboard")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.tracking.dashboard.has_key", lambda: False)
    assert main([]) == 0
    assert "written to dashboard.json" in capsys.readouterr().out
    assert (tmp_path / "dashboard.json").exists()


def test_what_is_wrong_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("wandb_workspaces", reason="needs the extra dashboard")
    monkeypatch.setattr("harness.tracking.dashboard.has_key", lambda: True)
    assert main([]) == 2
    assert "--entity is needed" in capsys.readouterr().err
    assert main(["--metrics", ","]) == 2
    assert "--metrics names none" in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_is_a_group_and_its_table_a_run_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[dict[str, Any]] = []
    tables: list[Any] = []

    class Seen:
        def log(self, values: dict[str, float], *, step: int) -> None: ...

        def finish(self, record: dict[str, Any], files: dict[str, str]) -> None: ...

        def finish_with_table(self, name: str, columns: Any, rows: Any) -> None:
            tables.append((name, columns, rows))

    @wraps(wandb_tracker)
    def tracker(**arguments: Any) -> Any:
        begun.append(arguments)
        return Seen()

    monkeypatch.setattr("harness.tracking.wandb_tracker.wandb_tracker", tracker)
    assert sweep(tmp_path, "tracking=wandb", "mixing=top,mean", "sweep=mine") == 0
    assert [one["run_group"] for one in begun] == ["mine"] * 3
    assert [one["job_type"] for one in begun] == ["ner", "ner", "table"]
    ((name, columns, rows),) = tables
    assert name == "table"
    assert [dict(zip(columns, row, strict=True))["setting"] for row in rows] == [
        "random-mean-input",
        "random-top-input",
    ]


def test_the_ready_sweep_of_wandb_names_options_that_there_are(tmp_path: Path) -> None:
    spec = yaml.safe_load((CONF / "wandb_sweep.yaml").read_text())
    assert spec["command"] == ["${env}", "python", "-m", "harness", "${args_no_hyphens}"]
    first = {key: one.get("value", (one.get("values") or [None])[0]) for key, one in spec["parameters"].items()}
    config = config_of(tmp_path, *(f"{key}={value}" for key, value in first.items()))
    assert config.mixing["name"] == "top"
    assert config.mixing["placement"] == "input"
