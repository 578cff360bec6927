"""Compose and run small configs inside the test process."""

from contextlib import nullcontext
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from harness.config.compose import CONF, register_resolvers
from harness.config.schema import HarnessConfig, typed
from harness.runs.record import RunRecord
from harness.runs.run import run
from harness.utils.signals import Stop
from tests.support.fast_setup import few_sentences

SMALL = (
    "tracking=none",
    "threads=1",
    "encoder=random",
    "embedding=none",
    "data.fraction=0.1",
    "task.bilstm_crf.hidden_dim=16",
    "task.bilstm_crf.num_layers=1",
    "task.bilstm_crf.char_filters=8",
    "encoder.options.char_cnn.filters=[[1,8],[2,8]]",
    "encoder.options.lstm.dim=16",
    "encoder.options.lstm.projection_dim=8",
    "trainer.max_epochs=3",
)


def config_of(folder: Path, *overrides: str) -> HarnessConfig:
    """Compose a config with its results and cache in ``folder``."""
    composed = deepcopy(_composed(overrides))
    composed.results_dir = f"{folder}/results"
    register_resolvers()
    OmegaConf.register_new_resolver("user_cache", lambda: str(folder / "cache"), replace=True)
    return typed(composed)


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    """Return what Hydra composes, which takes much longer than a copy of it; no interpolation is resolved yet."""
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def small_run(folder: Path, *overrides: str, stop: Stop | None = None, whole: bool = False) -> RunRecord:
    """Run a config that takes less than a second; ``whole`` uses all of dev and test, as other processes do."""
    with nullcontext() if whole else few_sentences():
        return run(config_of(folder, *SMALL, *overrides), stop=stop or Stop())


def without_times(record: RunRecord) -> dict[str, Any]:
    """Return a record's fields without times, costs and paths."""
    values = dict(vars(record))
    del values["timing"], values["cost"]
    values["config"] = {key: value for key, value in record.config.items() if key not in ("overwrite", "cache_dir")}
    return values


class StopAfter(Stop):
    """Requests a stop after it was asked a number of times."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    @property
    def requested(self) -> bool:  # type: ignore[override]
        self._looks -= 1
        return self._looks < 0
