"""A job of a sweep, in whichever process a launcher runs it."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from harness.config.compose import register_resolvers
from harness.runs.job import Outcome, run_job
from harness.sweep.gpu_locks import own_device
from harness.sweep.state import SweepFolder
from harness.utils.console import configure_logging
from harness.utils.signals import listening


def work(config: DictConfig) -> None:
    """Run a job, unless the sweep was stopped; note how it goes, and bring the table up to date."""
    configure_logging()
    register_resolvers()
    hydra = HydraConfig.get()
    folder, overrides = SweepFolder(Path(hydra.sweep.dir)), tuple(hydra.overrides.task)
    if folder.stopped:
        folder.note(overrides, Outcome("interrupted", 1, "not begun: the sweep was stopped"))
        return
    folder.note(overrides, Outcome("running"))
    with listening() as stop, own_device(config) as config:
        outcome = run_job(config, stop=stop, name=" ".join(overrides), task=str(hydra.runtime.choices.get("task")))
    if stop.requested:
        folder.stop()
    folder.note(overrides, outcome)
    folder.write_table()
