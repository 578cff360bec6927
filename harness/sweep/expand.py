"""Expand a command line into the jobs of a sweep: compose every combination of its lists, and keep each result once."""

import copy
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from harness.config.schema import HarnessConfig, typed
from harness.config.secrets import overrides_of, without_values
from harness.errors import ConfigError
from harness.runs.identity import plain
from harness.runs.record import identity_digest
from harness.utils.text_files import with_home

# Overrides that do not change what a sweep is; its default name does not depend on them.
_NOT_NAMING = ("dry_run", "overwrite", "threads", "tracking", "device", "cache_dir", "results_dir", "sweep")

# Two combinations that agree in these, and in everything that determines a result, are one job.
_ALSO_COMPARED = ("task", "encoder", "embedding", "device", "shard", "results_dir")


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        overrides: Every override that the job gets.
        own: The overrides that distinguish this job from others.
        config: The typed configuration; None if the request is wrong, which the job itself will report.
        error: Why the request is wrong.
    """

    overrides: tuple[str, ...]
    own: tuple[str, ...]
    config: HarnessConfig | None
    error: str = ""

    def __str__(self) -> str:
        return " ".join(self.own or self.overrides) or "as configured"


def expand_jobs(config: DictConfig) -> list[Job]:
    """Return the jobs of a sweep, composed with the node ``hydra``.

    A list on the command line replaces a preset's list of the same key. Of several presets, ``experiment=A,B``, each
    has its own lists; a job that two of them have is one job.

    Raises:
        HydraException: A combination cannot be composed.
    """
    combinations = _combinations(config)
    composer = _Composer(config)
    jobs: dict[str, Job] = {}
    common = set.intersection(*(set(combination) for combination in combinations))
    for combination in combinations:
        settings, error = _typed(composer.compose(combination))
        key = "\0".join(combination)
        if settings is not None:
            compared = settings.determining() | {name: getattr(settings, name) for name in _ALSO_COMPARED}
            key = identity_digest(plain(compared))  # 0 and 0.0 are one value
        own = tuple(override for override in combination if override not in common)
        jobs.setdefault(key, Job(tuple(combination), own, settings, error))
    return list(jobs.values())


def _combinations(config: DictConfig) -> list[list[str]]:
    """Return the overrides of each job, for one preset after the other."""
    loader = GlobalHydra.instance().config_loader()
    parser = OverridesParser.create(config_loader=loader)
    given = list(overrides_of(config.hydra))
    several = [
        one for one in parser.parse_overrides(given) if one.key_or_group == "experiment" and one.is_sweep_override()
    ]
    if not several:
        presets = [(given, config)]
    else:
        others = [word for word in given if word.partition("=")[0] != "experiment"]
        choices = [f"experiment={choice}" for choice in several[-1].sweep_string_iterator()]
        presets = [([choice, *others], loader.load_sweep_config(config, [choice])) for choice in choices]
    found = []
    for words, composed in presets:
        lists = [f"{key}={value}" for key, value in (composed.hydra.sweeper.params or {}).items()]
        (combinations,) = BasicSweeper.split_arguments(parser.parse_overrides([*lists, *words]), None)
        found += combinations
    return found


def by_data(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs in an order in which those with the same data, encoder and vectors follow the first such job."""

    def parts(job: Job) -> str:
        config = job.config
        return identity_digest({"parts": [config.task, config.encoder, config.embedding]}) if config else ""

    first: dict[str, int] = {}
    return sorted(jobs, key=lambda job: first.setdefault(parts(job), len(first)))


class _Composer:
    """Composes the jobs of a sweep as Hydra does, but each combination of groups only once, because that is slow.

    The choices of groups alone determine which files are read. Other overrides then set values in a copy.

    Args:
        config: The configuration of the sweep, with the node ``hydra``.
    """

    def __init__(self, config: DictConfig) -> None:
        self._config, self._loader = config, GlobalHydra.instance().config_loader()
        assert isinstance(self._loader, ConfigLoaderImpl)
        _, self._files = self._loader._parse_overrides_and_create_caching_repo(
            config.hydra.job.config_name, list(config.hydra.overrides.hydra)
        )
        self._parsed: dict[str, Override] = {}
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Return the configuration of one job, without the node ``hydra``."""
        new = [override for override in overrides if override not in self._parsed]
        self._parsed |= zip(new, OverridesParser.create().parse_overrides(new), strict=True)
        groups = tuple(override for override in overrides if self._is_choice(self._parsed[override]))
        if groups not in self._composed:
            composed = self._loader.load_sweep_config(self._config, list(groups))
            with read_write(composed), open_dict(composed):
                del composed["hydra"]
            self._composed[groups] = composed
        job = copy.deepcopy(self._composed[groups])
        values = [self._parsed[override] for override in overrides if override not in groups]
        ConfigLoaderImpl._apply_overrides_to_config(values, job)
        return job

    def _is_choice(self, override: Override) -> bool:
        """Return whether an override chooses from a group; Hydra reads a dictionary as a value."""
        return self._files.group_exists(override.key_or_group) and not isinstance(override.value(), dict)


def _typed(composed: DictConfig) -> tuple[HarnessConfig | None, str]:
    """Return the typed configuration of one job; if it is wrong, None and why."""
    try:
        return typed(composed), ""
    except ConfigError as error:
        return None, without_values(str(error), OmegaConf.to_container(composed))


def sweep_dir(config: DictConfig) -> Path:
    """Return the folder of a sweep, which is the same whenever the same command is given.

    It is named by ``sweep=NAME``; by default, by the preset or the task and a digest of the overrides.

    Raises:
        ConfigError: The name cannot be the name of a folder.
    """
    name = OmegaConf.select(config, "sweep")
    if name is None:
        overrides = overrides_of(config.hydra)
        naming = sorted(word for word in overrides if word.lstrip("+~").partition("=")[0] not in _NOT_NAMING)
        digest = hashlib.sha256("\0".join(naming).encode(errors="surrogatepass")).hexdigest()[:6]
        # Hydra does not report the choice of a group if several were chosen.
        presets = [word.partition("=")[2] for word in overrides if word.startswith("experiment=")]
        chosen = presets[-1] if presets else str(config.hydra.runtime.choices.get("task"))
        name = f"{re.sub(r'[^a-zA-Z0-9_.+]+', '-', chosen).strip('-')}-{digest}"
    elif not name or "/" in str(name) or str(name).startswith("."):
        raise ConfigError(f"sweep is {name!r}; expected the name of a folder")
    return with_home(str(config.results_dir)) / "sweeps" / str(name)
