"""The view of a wandb project shows what runs log, and the command saves it."""

from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import wandb
import yaml

from harness.commands.dashboard import main
from harness.config.compose import CONF
from harness.runs.run import run
from harness.tracking.dashboard import AXES, workspace
from harness.tracking.wandb_tracker import wandb_tracker
from harness.utils.signals import Stop
from tests.support.runs import SMALL, config_of
from tests.sweep.test_sweep import sweep


@dataclass
class Shown:
    """What a view shows, read from the public attributes of its workspace."""

    scores: set[str]
    curves: set[str]
    axes: set[str]
    runs: str


def shown_in(view: Any) -> Shown:
    panels = [panel for section in view.sections for panel in section.panels]
    columns = [column.metric for panel in panels for column in getattr(panel, "columns", [])]
    return Shown(
        scores={name for panel in panels for name in getattr(panel, "metrics", [])},
        curves={name for panel in panels for name in getattr(panel, "y", [])},
        axes={metric.name for metric in columns},
        runs=view.runset_settings.filters,
    )


def test_the_view_shows_what_runs_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb_workspaces", reason="needs the extra dashboard")
    view = workspace(entity="team", project="elmo-harness", metrics=["f1", "accuracy"], group="table2-ab12cd")
    assert view.name == "ablations"
    shown = shown_in(view)
    seen: dict[str, Any] = {}

    class Seen:
        def log(self, values: dict[str, float], *, step: int) -> None:
            seen["logged"] = set(values)

        def finish(self, record: dict[str, Any], files: dict[str, str]) -> None:
            seen["record"] = record

        def finish_with_table(self, name: str, columns: Any, rows: Any) -> None: ...

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
        assert name in shown.curves
    for split in ("dev", "test"):
        assert "f1" in seen["record"]["metrics"][split]
        assert f"{split}/f1" in shown.scores
    for name in ("train_s", "encode_s"):
        assert name in seen["record"]["timing"]
        assert f"time/{name}" in shown.scores
    assert shown.axes == {*AXES, "dev/f1", "dev/accuracy"}
    assert "table2-ab12cd" in shown.runs


def test_the_command_saves_the_view(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    workspaces = pytest.importorskip("wandb_workspaces.workspaces", reason="needs the extra dashboard")
    saved: list[Any] = []
    monkeypatch.setattr(workspaces.Workspace, "save", lambda view: saved.append(view))
    monkeypatch.setattr(workspaces.Workspace, "url", property(lambda view: f"https://wandb.test/{view.entity}"))
    monkeypatch.setattr("harness.commands.dashboard.has_key", lambda: True)
    assert main(["--entity", "team", "--metrics", "f1", "accuracy"]) == 0
    assert capsys.readouterr().out == "https://wandb.test/team\n"
    (view,) = saved
    assert shown_in(view).scores >= {"dev/f1", "test/accuracy"}
    assert shown_in(view).runs == ""


def test_a_wrong_request_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    workspaces = pytest.importorskip("wandb_workspaces.workspaces", reason="needs the extra dashboard")

    def unreachable(_: Any) -> None:
        raise wandb.errors.CommError("the server\ndoes not answer")

    monkeypatch.setattr(workspaces.Workspace, "save", unreachable)
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "required: --entity" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["--entity", "team", "--metrics"])
    assert "--metrics: expected at least one" in capsys.readouterr().err
    monkeypatch.setattr("harness.commands.dashboard.has_key", lambda: False)
    assert main(["--entity", "team"]) == 2
    assert "run 'wandb login'" in capsys.readouterr().err
    monkeypatch.setattr("harness.commands.dashboard.has_key", lambda: True)
    assert main(["--entity", "team"]) == 1
    assert capsys.readouterr().err == "error: wandb could not save the view: the server does not answer\n"


@pytest.mark.slow
def test_a_sweep_is_a_group_and_its_table_is_a_run_in_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert sweep(tmp_path, "tracking=wandb", "mixing=top,mean", "sweep=mine", whole=True) == 0
    assert [one["run_group"] for one in begun] == ["mine"] * 3
    assert [one["job_type"] for one in begun] == ["ner", "ner", "table"]
    ((name, columns, rows),) = tables
    assert name == "table"
    assert [dict(zip(columns, row, strict=True))["mix"] for row in rows] == ["top", "mean"]


def test_the_sweep_file_for_wandb_uses_existing_options(tmp_path: Path) -> None:
    spec = yaml.safe_load((CONF / "wandb_sweep.yaml").read_text())
    assert spec["command"] == ["${env}", "python", "-m", "harness", "${args_no_hyphens}"]
    first = {key: one.get("value", (one.get("values") or [None])[0]) for key, one in spec["parameters"].items()}
    config = config_of(tmp_path, *(f"{key}={value}" for key, value in first.items()))
    assert config.mixing["name"] == "top"
    assert config.mixing["placement"] == "input"
