"""The function that a launcher calls for each job of a sweep, in whatever process it chooses."""

import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from harness.config.compose import register_resolvers
from harness.runs.job import Outcome, run_job
from harness.sweep.gpu_locks import reserve_gpu
from harness.sweep.state import SweepFolder
from harness.utils.console import configure_logging
from harness.utils.signals import listening

log = logging.getLogger(__name__)


def run_sweep_job(config: DictConfig) -> None:
    """Run one job unless the sweep was stopped; write its outcome to the sweep's folder and update the table."""
    configure_logging()
    register_resolvers()
    hydra = HydraConfig.get()
    folder, overrides = SweepFolder(Path(hydra.sweep.dir)), tuple(hydra.overrides.task)
    if folder.stopped:
        folder.write_outcome(overrides, Outcome("interrupted", 1, "not begun: the sweep was stopped"))
        return
    folder.write_outcome(overrides, Outcome("running"))
    name = " ".join(overrides)
    with listening() as stop, reserve_gpu(config) as config:
        outcome = run_job(config, stop=stop, name=name, task=str(hydra.runtime.choices.get("task")))
    if stop.requested:
        folder.stop()
    if outcome.status != "ok":
        log.warning("%s: %s", name, outcome.reason)
    folder.write_outcome(overrides, outcome)
    folder.write_table()
