"""Expand a command line into the jobs of a sweep: compose every combination of its lists, and keep each result once."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from harness.config.schema import HarnessConfig, typed
from harness.errors import ConfigError
from harness.runs.record import identity_digest

# Overrides that do not change what a sweep is; its default name does not depend on them.
_NOT_NAMING = ("dry_run", "overwrite", "threads", "tracking", "device", "cache_dir", "results_dir", "sweep")

# Two combinations that agree in these, and in everything that determines a result, are one job.
_ALSO_COMPARED = ("task", "encoder", "embedding", "device", "shard")


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        overrides: Every override that the job gets.
        own: The overrides that distinguish this job from others.
        config: The typed configuration; None if the request is wrong, which the job itself will report.
        error: Why there is no configuration.
    """

    overrides: tuple[str, ...]
    own: tuple[str, ...]
    config: HarnessConfig | None
    error: str = ""

    def __str__(self) -> str:
        return " ".join(self.own or self.overrides) or "as configured"


def expand_jobs(config: DictConfig, more: Sequence[str] = ()) -> list[Job]:
    """Return the jobs of a sweep. A list on the command line replaces a preset's list of the same key.

    Args:
        config: The configuration of the sweep, with the node ``hydra``.
        more: Overrides that every job gets in addition.

    Raises:
        HydraException: A combination cannot be composed.
    """
    loader = GlobalHydra.instance().config_loader()
    preset = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    given = [*preset, *config.hydra.overrides.task, *more]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(given)
    (combinations,) = BasicSweeper.split_arguments(overrides, None)
    jobs: dict[str, tuple[tuple[str, ...], HarnessConfig | None, str]] = {}
    for combination in combinations:
        composed = loader.load_sweep_config(config, combination)
        settings, error = _typed(composed)
        key = "\0".join(combination)
        if settings is not None:
            key = identity_digest(settings.determining() | {name: getattr(settings, name) for name in _ALSO_COMPARED})
        jobs.setdefault(key, (tuple(combination), settings, error))
    common = set.intersection(*(set(combination) for combination in combinations))
    return [
        Job(combination, tuple(override for override in combination if override not in common), settings, error)
        for combination, settings, error in jobs.values()
    ]


def _typed(composed: DictConfig) -> tuple[HarnessConfig | None, str]:
    """Return the typed configuration of one job, or None and why it is wrong."""
    with read_write(composed), open_dict(composed):
        del composed["hydra"]
    try:
        return typed(composed), ""
    except ConfigError as error:
        return None, str(error)


def sweep_dir(config: DictConfig) -> Path:
    """Return the folder of a sweep, which is the same whenever the same command is given.

    It is named by ``sweep=NAME``; by default, by the preset or the task and a digest of the overrides.

    Raises:
        ConfigError: The name cannot be the name of a folder.
    """
    name = OmegaConf.select(config, "sweep")
    if name is None:
        overrides: Sequence[str] = list(config.hydra.overrides.task)
        naming = sorted(word for word in overrides if word.lstrip("+~").partition("=")[0] not in _NOT_NAMING)
        digest = hashlib.sha256("\0".join(naming).encode(errors="surrogatepass")).hexdigest()[:6]
        # Hydra does not report the choice of a group if several were chosen.
        presets = [word.partition("=")[2] for word in overrides if word.startswith("experiment=")]
        chosen = presets[-1] if presets else str(config.hydra.runtime.choices.get("task"))
        name = f"{re.sub(r'[^a-zA-Z0-9_.+]+', '-', chosen).strip('-')}-{digest}"
    elif not name or "/" in str(name) or str(name).startswith("."):
        raise ConfigError(f"sweep is {name!r}; expected the name of a folder")
    return Path(str(config.results_dir)).expanduser() / "sweeps" / str(name)
