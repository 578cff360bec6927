"""From a command line to the jobs that it spans: every combination, composed, none twice."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from harness.config.schema import HarnessConfig, typed
from harness.errors import ConfigError
from harness.runs.record import identity_digest

# What changes nothing in what a sweep is.
_NOT_NAMING = ("dry_run", "overwrite", "threads", "tracking", "device", "cache_dir", "results_dir", "sweep")


@dataclass(frozen=True)
class Job:
    """One combination.

    Attributes:
        overrides: what the command line sets for it.
        own: those of them that not every job has.
        config: its typed form; None where the request is wrong, which the job itself will say.
    """

    overrides: tuple[str, ...]
    own: tuple[str, ...]
    config: HarnessConfig | None

    def __str__(self) -> str:
        return " ".join(self.own or self.overrides) or "as configured"


def spanned(config: DictConfig, more: Sequence[str] = ()) -> list[Job]:
    """Return the jobs of a sweep. What the command line sets takes the place of a preset's own axes.

    Args:
        config: of the sweep, with its node ``hydra``.
        more: overrides that every job gets besides.

    Raises:
        HydraException: a combination cannot be composed.
    """
    loader = GlobalHydra.instance().config_loader()
    preset = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    asked = [*preset, *config.hydra.overrides.task, *more]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(asked)
    (combinations,) = BasicSweeper.split_arguments(overrides, None)
    jobs: dict[str, tuple[tuple[str, ...], HarnessConfig | None]] = {}
    for combination in combinations:
        composed = loader.load_sweep_config(config, combination)
        settings = _typed(composed)
        same = identity_digest(_wanted(settings)) if settings is not None else "\0".join(combination)
        jobs.setdefault(same, (tuple(combination), settings))
    common = set.intersection(*(set(combination) for combination in combinations))
    return [
        Job(combination, tuple(override for override in combination if override not in common), settings)
        for combination, settings in jobs.values()
    ]


def _typed(composed: DictConfig) -> HarnessConfig | None:
    with read_write(composed), open_dict(composed):
        del composed["hydra"]
    try:
        return typed(composed)
    except ConfigError:
        return None


def _wanted(settings: HarnessConfig) -> dict[str, Any]:
    """Return what tells the jobs of one sweep from each other."""
    return {
        "config": settings.determining(),
        "task": settings.task,
        "encoder": settings.encoder,
        "embedding": settings.embedding,
        "device": settings.device,
        "shard": settings.shard,
    }


def sweep_dir(config: DictConfig) -> Path:
    """Return the folder of a sweep: ``sweep=NAME``, or the preset's name and a digest of what is swept.

    The same command finds the same folder.
    """
    name = OmegaConf.select(config, "sweep")
    if name is None:
        overrides: Sequence[str] = list(config.hydra.overrides.task)
        naming = sorted(one for one in overrides if one.lstrip("+~").partition("=")[0] not in _NOT_NAMING)
        digest = hashlib.sha256("\0".join(naming).encode()).hexdigest()[:6]
        # Hydra keeps no choice of a group where several are chosen.
        presets = [one.partition("=")[2] for one in overrides if one.startswith("experiment=")]
        chosen = presets[-1] if presets else str(config.hydra.runtime.choices.get("task"))
        name = f"{re.sub(r'[^a-zA-Z0-9_.+]+', '-', chosen).strip('-')}-{digest}"
    elif not name or "/" in str(name) or str(name).startswith("."):
        raise ConfigError(f"sweep is {name!r}; expected the name of a folder")
    return Path(str(config.results_dir)) / "sweeps" / str(name)
