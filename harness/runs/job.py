"""Run one composed configuration, and turn every error into an outcome, so that the next job can run."""

import logging
from contextlib import suppress
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.config.schema import typed
from harness.config.secrets import without_values
from harness.errors import HarnessError, described, one_line
from harness.runs.cost_estimate import CostEstimator
from harness.runs.encode_shard import encode_shard
from harness.runs.outcome import Outcome
from harness.runs.plan import SharedObjects, prepare
from harness.runs.record import folder_of, write_bad_request
from harness.runs.run import run
from harness.runs.summary import print_summary
from harness.utils.download import NotDownloaded, no_downloads
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)

SHARED = SharedObjects()  # shared by the jobs that this process runs


def run_job(config: DictConfig, *, stop: Stop, name: str, task: str | None = None) -> Outcome:
    """Do what one composed configuration asks for: estimate the cost, encode a part of the data, or run.

    Args:
        config: The configuration that Hydra composed.
        stop: Tells whether to stop.
        name: The job's name in the log.
        task: In a sweep, the choice of the group ``task``: a job that cannot start is recorded under this name.
            None writes no such record.

    Returns:
        How the job ended; no error of the job is raised.
    """
    try:
        settings = typed(config)
        if settings.dry_run:
            with no_downloads():
                plan = prepare(settings, SHARED)
                print(f"{plan.folder}: {plan.sizes}; {CostEstimator().estimate(plan)}")  # noqa: T201
            return Outcome("ok")
        if settings.shard is not None:
            print(encode_shard(settings, stop=stop, shared=SHARED))  # noqa: T201
            return Outcome("ok")
        record = run(settings, stop=stop, shared=SHARED)
        if record.status != "ok":
            return Outcome(record.status, 1, record.error or "")
        folder = folder_of(record, settings.results_dir)
        with suppress(SystemExit):  # rich's answer if the program that reads the output has ended
            print_summary(record, folder=folder)
        return Outcome("ok", folder=str(folder))
    except NotDownloaded as reason:
        print(reason)  # noqa: T201
        return Outcome("ok")
    except HarnessError as error:
        written = OmegaConf.to_container(config)
        if task is not None and not error.recorded and OmegaConf.select(config, "shard") is None:
            _record_bad_request(config, task=task, error=without_values(f"{type(error).__name__}: {error}", written))
        return Outcome("failed", error.exit_status, without_values(str(error), written))
    except Interrupted as reason:
        return Outcome("interrupted", 1, str(reason))
    except OSError as error:
        return Outcome("failed", 1, one_line(error))
    except Exception as error:  # the other jobs of a sweep must run, whatever went wrong in this one
        log.exception("%s", name)
        return Outcome("failed", 1, described(error))


def _record_bad_request(config: DictConfig, *, task: str, error: str) -> None:
    """Record that a run of a sweep could not start; if that is not possible either, say so in the log."""
    values = cast(dict[str, Any], OmegaConf.to_container(config))
    try:
        write_bad_request(values, results_dir=str(config.results_dir), task=task, error=error)
    except OmegaConfBaseException:  # the folder of results is itself what is wrong
        log.warning("not recorded, because results_dir=%s cannot be resolved", values["results_dir"])
    except OSError as refused:  # the reason of the job is more useful than this one
        log.warning("not recorded: %s", one_line(refused))
