"""A job: one composed config, run. What goes wrong in it is its outcome, so that the other jobs of a sweep go on."""

import logging
from dataclasses import dataclass
from typing import Any, Literal

from harness.config.schema import HarnessConfig, typed
from harness.errors import HarnessError, one_line
from harness.runs.cost_estimate import Forecaster
from harness.runs.encode_shard import fill_part
from harness.runs.plan import Parts, prepare
from harness.runs.record import folder_of, write_bad_request
from harness.runs.run import run
from harness.runs.summary import print_summary
from harness.training.determinism import set_up_torch
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)

PARTS = Parts()  # of this process: the jobs of a sweep share what they are made of


@dataclass(frozen=True)
class Outcome:
    """How a job went.

    Attributes:
        status: ``running`` until it ends.
        exit_status: of the command, where this is its only job.
        reason: why it did not succeed.
        folder: of the run's record, where it succeeded.
    """

    status: Literal["ok", "failed", "interrupted", "running"]
    exit_status: int = 0
    reason: str = ""
    folder: str = ""


def run_job(config: Any, *, stop: Stop, name: str, task: str | None = None) -> Outcome:
    """Run one composed config.

    Args:
        config: what Hydra composed.
        stop: asked whether to stop.
        name: of the job, for the log.
        task: the task's choice, under which a wrong request is recorded, as those of a sweep are; None: it is not.
    """
    try:
        settings = typed(config)
        if settings.dry_run:
            set_up_torch(settings)
            print(Forecaster().forecast(prepare(settings, PARTS)))  # noqa: T201
            return Outcome("ok")
        if settings.shard is not None:
            return _part(settings, stop)
        record = run(settings, stop=stop, parts=PARTS)
        if record.status != "ok":
            return Outcome(record.status, 1, record.error or "")
        folder = folder_of(record, settings.results_dir)
        print_summary(record, folder=folder)
        return Outcome("ok", folder=str(folder))
    except HarnessError as error:
        if task is not None and not error.recorded:
            write_bad_request(_values(config), task=task, error=f"{type(error).__name__}: {error}")
        return Outcome("failed", error.exit_status, str(error))
    except Interrupted as reason:
        return Outcome("interrupted", 1, str(reason))
    except OSError as error:
        return Outcome("failed", 1, one_line(error))
    except Exception as error:  # whatever went wrong in one run must not take the others with it
        log.exception("%s", name)
        return Outcome("failed", 1, f"{type(error).__name__}: {error}")


def _part(settings: HarnessConfig, stop: Stop) -> Outcome:
    """Encode one part of the data; no record is written of it."""
    try:
        print(fill_part(settings, stop=stop, parts=PARTS))  # noqa: T201
    except HarnessError as error:
        return Outcome("failed", error.exit_status, str(error))
    return Outcome("ok")


def _values(config: Any) -> dict[str, Any]:
    """Return a config as plain values, also where it cannot be typed."""
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(config)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}
