"""Start the tracker of a run, which sends a copy of its progress to wandb, or does nothing."""

import logging
from collections.abc import Sequence
from typing import Any

from harness.config.instantiate import build
from harness.config.schema import plain
from harness.encoders.plugin_encoder import model_card_of
from harness.errors import HarnessError, described
from harness.protocols import Tracker
from harness.runs.environment import sweep_name
from harness.runs.plan import Plan
from harness.tracking.guard import guarded
from harness.tracking.wandb_tracker import NoTracker

log = logging.getLogger(__name__)


def start_tracker(plan: Plan) -> Tracker:
    """Start the tracker of a run; everything that an ablation varies becomes a value with a short name."""
    config, shown = plan.config, plain(plan.config)  # no value from the environment is sent
    mix = shown["mixing"] if plan.encoder is not None else {}
    axes = {
        "task": plan.task.name,
        "data": plan.task.data_name,
        "head": shown["task"].get("head") if isinstance(config.task.get("head"), str) else None,
        "encoder": plan.encoder.name if plan.encoder is not None else "none",
        "model_card": model_card_of(plan.encoder) if plan.encoder else "",
        "state": plan.encoder.state if plan.encoder is not None else "none",
        "embedding": plan.static.name if plan.static is not None else "none",
        "mixing": plan.mixing.name,
        "placement": plan.mixing.placement,
        "lambda": mix.get("lambda_"),
        "layer_norm": mix.get("layer_norm"),
        "seed": shown["seed"],
        "fraction": shown["data"]["fraction"],
    }
    return build_tracker(
        config.tracking,
        config.plugins,
        run_name=f"{plan.task.name}-{plan.name}",
        run_group=sweep_name() or f"{plan.task.name}-{plan.group}",
        run_tags=[f"{axis}:{axes[axis]}" for axis in ("task", "encoder", "embedding", "mixing")],
        job_type=plan.task.name,
        config={**axes, "config": shown},
    )


def build_tracker(tracking: Any, plugins: Sequence[str], **supplied: Any) -> Tracker:
    """Build the tracker that the group ``tracking`` names; with ``tracking=none``, it does nothing.

    Args:
        tracking: The group ``tracking`` of a configuration.
        plugins: The folders or modules of the same configuration that hold plug-ins.
        **supplied: What the harness tells every tracker: ``run_name``, ``run_group``, ``run_tags``, ``job_type``
            and ``config``, the values to show with the run.
    """
    try:
        tracker: Tracker | None = build(tracking, kind=Tracker, where="tracking", plugins=plugins, supplied=supplied)
    except HarnessError:
        raise
    except Exception as error:  # of a tracker from outside the harness; the run does without
        log.warning("the tracker cannot be built and is not used: %s", described(error))
        return NoTracker()
    if tracker is None:
        return NoTracker()
    return tracker if type(tracker).__module__.startswith("harness.") else guarded(tracker)
