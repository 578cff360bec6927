"""``python -m harness.tracking.dashboard``: the view of a wandb project in which ablations are read, defined here as code."""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.tracking.wandb_tracker import has_key
from harness.utils.console import exit_status_of
from harness.utils.files import write_text

# What an ablation varies, as runs name it in their config.
AXES = ("task", "encoder", "embedding", "mixing", "lambda", "layer_norm", "placement", "fraction", "seed")
_LAYERS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.tracking.dashboard",
        description="Save the view of this project's ablations in a wandb project: scores by setting, axes against "
        "score, learning curves, mix weights, times. Without an API key, write its specification to a file.",
    )
    parser.add_argument("--entity", default="", metavar="NAME", help="user or team; needed online")
    parser.add_argument("--project", default="elmo-harness", metavar="NAME", help="default: elmo-harness")
    parser.add_argument("--group", metavar="SWEEP", help="only the runs of one sweep")
    parser.add_argument(
        "--metrics", default="f1,accuracy", metavar="A,B", help="primary metrics of the tasks; default: f1,accuracy"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the specification there, and save nothing online"
    )
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _run(chosen))


def _run(chosen: argparse.Namespace) -> None:
    metrics = [name.strip() for name in chosen.metrics.split(",") if name.strip()]
    if not metrics:
        raise ConfigError("--metrics names none; give for example --metrics f1,accuracy")
    view = workspace(entity=chosen.entity, project=chosen.project, metrics=metrics, group=chosen.group)
    if chosen.out is not None or not has_key():
        path = chosen.out or Path("dashboard.json")
        write_text(path, specification(view))
        print(f"written to {path}; with an API key (wandb login), --entity NAME saves the view online")  # noqa: T201
        return
    if not chosen.entity:
        raise ConfigError("--entity is needed to save the view online; or --out FILE writes its specification")
    view.save()
    print(view.url)  # noqa: T201


def workspace(*, entity: str, project: str, metrics: Sequence[str], group: str | None = None) -> Any:
    """Return the view.

    Args:
        entity, project: where runs are.
        metrics: primary metrics, without their split.
        group: the one sweep that is shown; None for all runs.

    Raises:
        ConfigError: the extra ``dashboard`` is not installed.
    """
    try:
        panels: Any = importlib.import_module("wandb_workspaces.reports.v2")
        ws: Any = importlib.import_module("wandb_workspaces.workspaces")
    except ModuleNotFoundError:
        raise ConfigError("wandb-workspaces is not installed; pip install 'elmo-harness[dashboard]'") from None
    columns = [panels.ParallelCoordinatesPlotColumn(metric=panels.Config(axis), display_name=axis) for axis in AXES]
    by_score = [
        panels.ParallelCoordinatesPlot(
            title=f"every axis against dev/{metric}",
            columns=[
                *columns,
                panels.ParallelCoordinatesPlotColumn(metric=panels.SummaryMetric(f"dev/{metric}"), display_name="dev"),
            ],
        )
        for metric in metrics
    ]
    scores = [
        panels.BarPlot(title=f"{split}/{metric} by mix", metrics=[f"{split}/{metric}"], groupby=panels.Config("mixing"))
        for metric in metrics
        for split in ("dev", "test")
    ]
    curves = [panels.LinePlot(title=f"dev/{metric} by epoch", y=[f"dev/{metric}"]) for metric in metrics]
    curves += [panels.LinePlot(title="training loss by epoch", y=["train/loss"])]
    mixes = [
        panels.LinePlot(
            title=f"mix at the {place}",
            y=[f"mix/{place}/s{layer}" for layer in range(_LAYERS)] + [f"mix/{place}/gamma"],
        )
        for place in ("input", "output")
    ]
    times = [panels.BarPlot(title=f"time/{name}", metrics=[f"time/{name}"]) for name in ("train_s", "encode_s")]
    sections = {"scores": scores, "axes": by_score, "curves": curves, "layer mix": mixes, "time": times}
    return ws.Workspace(
        entity=entity,
        project=project,
        name="ablations",
        sections=[ws.Section(name=name, panels=shown, is_open=True) for name, shown in sections.items()],
        runset_settings=ws.RunsetSettings(
            filters=ws.And(ws.Metric("Group") == group) if group else "",
            groupby=[ws.Config("encoder"), ws.Config("mixing"), ws.Config("placement")],
        ),
    )


def specification(view: Any) -> str:
    """Return the view as wandb stores it, in JSON."""
    return json.dumps(view._to_model().model_dump(by_alias=True, mode="json"), indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
