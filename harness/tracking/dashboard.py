"""The view of a wandb project in which ablations are read, defined through the public API of wandb-workspaces."""

import importlib
from collections.abc import Sequence
from typing import Any

from harness.errors import ConfigError

# What an ablation varies, under the names in the config that a run sends to wandb.
AXES = ("task", "data", "encoder", "embedding", "mixing", "lambda", "layer_norm", "placement", "fraction", "seed")
_LAYERS = 13  # of a transformer of the usual size; wandb leaves out what a run has not logged, such as ELMo's s3
_MIX_WEIGHTS = (*(f"s{layer}" for layer in range(_LAYERS)), "gamma")


def workspace(*, entity: str, project: str, metrics: Sequence[str], group: str | None = None) -> Any:
    """Return the view as a ``wandb_workspaces.workspaces.Workspace``; its ``save()`` stores it online.

    Args:
        entity: The wandb user or team.
        project: The wandb project.
        metrics: The primary metrics of the tasks, without the split, such as ``f1``.
        group: The name of the sweep to show; None shows all runs.

    Raises:
        ConfigError: The extra ``dashboard`` is not installed.
    """
    try:
        ws: Any = importlib.import_module("wandb_workspaces.workspaces")
        panels: Any = importlib.import_module("wandb_workspaces.reports.v2")
    except ModuleNotFoundError:
        raise ConfigError("wandb-workspaces is not installed; pip install 'elmo-harness[dashboard]'") from None
    return ws.Workspace(
        entity=entity,
        project=project,
        name="ablations",
        sections=[ws.Section(name=n, panels=p, is_open=True) for n, p in _sections(panels, metrics).items()],
        runset_settings=ws.RunsetSettings(
            filters=ws.And(ws.Metric("Group") == group) if group else "",
            groupby=[ws.Config("encoder"), ws.Config("mixing"), ws.Config("placement")],
        ),
    )


def _sections(panels: Any, metrics: Sequence[str]) -> dict[str, list[Any]]:
    """Return the panels of each section; ``panels`` is the module that defines them."""

    def column(metric: Any, name: str) -> Any:
        return panels.ParallelCoordinatesPlotColumn(metric=metric, display_name=name)

    def bars(name: str, title: str, **options: Any) -> Any:
        return panels.BarPlot(title=title, metrics=[name], **options)

    axes = [column(panels.Config(axis), axis) for axis in AXES]
    scores = [f"{split}/{metric}" for metric in metrics for split in ("dev", "test")]
    return {
        "scores": [bars(score, f"{score} by mix", groupby=panels.Config("mixing")) for score in scores],
        "axes": [
            panels.ParallelCoordinatesPlot(
                title=f"every axis against dev/{metric}",
                columns=[*axes, column(panels.SummaryMetric(f"dev/{metric}"), "dev")],
            )
            for metric in metrics
        ],
        "curves": [
            *(panels.LinePlot(title=f"dev/{metric} by epoch", y=[f"dev/{metric}"]) for metric in metrics),
            panels.LinePlot(title="training loss by epoch", y=["train/loss"]),
        ],
        "layer mix": [
            panels.LinePlot(title=f"mix at the {place}", y=[f"mix/{place}/{weight}" for weight in _MIX_WEIGHTS])
            for place in ("input", "output")
        ],
        "time": [bars(name, name) for name in ("time/train_s", "time/encode_s")],
    }
