"""Configuration: a typed schema for what the engine owns, and ``build`` for what is plugged in."""

import importlib
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.errors import ConfigError, nearest

T = TypeVar("T")
_TARGET = "_target_"
_PREFIXES = ("harness.", "tasks.", "torch.")
# Where things lie, what is only said or asked, and the nodes whose objects have a fingerprint of their own.
_NOT_DETERMINING = (
    "encoder",
    "embedding",
    "tracking",
    "device",
    "cache_dir",
    "results_dir",
    "overwrite",
    "dry_run",
    "shard",
    "sweep",
    "plugins",
    "vectors",
)

LOCAL_FILES = "data=files data.train=... data.dev=... data.test=..."  # how to ask for them

Placement = Literal["input", "output", "both"]
Precision = Literal["float16", "float32"]
Vectors = Literal["both", "contextual", "static"]
_NONE = {"name": "none"}


@dataclass
class DataConfig:
    """Which data a task reads (group ``data``).

    Attributes:
        source: ``sample`` (made by the project), ``official`` (the published data set, downloaded) or ``files``
            (local, in the published format).
        train, dev, test: local files, for ``files``.
        fraction: part of the training examples that is used; smaller parts lie within larger ones.
        cache_dir: where downloads are kept, for ``official``.
    """

    source: Literal["sample", "official", "files"] = "sample"
    train: str | None = None
    dev: str | None = None
    test: str | None = None
    fraction: float = 1.0
    cache_dir: str = ""

    def path(self, split: str) -> Path:
        """Return the local file of a split.

        Raises:
            ConfigError: none was given.
        """
        path = getattr(self, split)
        if path is None:
            official = self.source == "official"
            what = "data=official: there is nothing to download" if official else f"data.{split} is not given"
            raise ConfigError(f"{what}; add {LOCAL_FILES}")
        return Path(path)


@dataclass
class TrainerConfig:
    """How a head is trained; every value has a line in ``conf/config.yaml``."""

    optimizer: str = "Adam"
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    lr: float = 0.001
    weight_decay: float = 0.0
    batch_size: int = 32
    eval_batch_size: int = 64
    max_batch_tokens: int = 16384
    max_epochs: int = 20
    patience: int = 5
    grad_norm: float | None = 5.0
    plateau_factor: float = 0.5
    plateau_patience: int | None = None
    average: float | None = None


@dataclass
class HarnessConfig:
    """Everything that ``conf/config.yaml`` composes. Groups of plug-ins are built by ``build``."""

    task: Any
    data: DataConfig
    encoder: Any
    embedding: Any
    mixing: Any
    tracking: Any
    trainer: TrainerConfig
    vectors: Vectors = "both"
    seed: int = 1
    device: str = "auto"
    cache: Literal["disk", "none"] = "disk"
    cache_dtype: Precision = "float16"
    cache_dir: str = ""
    results_dir: str = "results"
    overwrite: bool = False
    dry_run: bool = False
    shard: str | None = None
    sweep: str | None = None
    threads: int | None = None
    plugins: list[str] = field(default_factory=list)

    def determining(self) -> dict[str, Any]:
        """Return what, beside the data, the encoder, the static vectors and the device, determines a run's result."""
        values = plain(self)
        for key in _NOT_DETERMINING:
            del values[key]
        values["data"] = {"fraction": self.data.fraction}
        values["task"] = without_data(values["task"])
        if names_nothing(self.encoder):
            del values["mixing"]  # there is nothing to mix
        return values


def without_data(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's node without the data it reads."""
    return {key: value for key, value in task.items() if key != "data"}


@dataclass(frozen=True, kw_only=True)
class MixingConfig:
    """The group ``mixing``: where the mix enters, and the node that makes it."""

    name: str
    placement: Placement = "input"
    dropout: float = 0.0
    mix: Mapping[str, Any] = field(default_factory=dict)


def mixing_of(node: Any) -> MixingConfig:
    """Tell apart what the engine and what the mix reads of the group ``mixing``.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """
    own = {key: node[key] for key in ("name", "placement", "dropout") if key in node}
    mix = {key: value for key, value in node.items() if key not in own}
    mixing: MixingConfig = _instance(MixingConfig, own, "mixing.")
    check_dropout("mixing.dropout", mixing.dropout)
    return replace(mixing, mix=mix)


def plain(config: HarnessConfig) -> dict[str, Any]:
    """Return a config as JSON-serialisable values."""
    return asdict(config)


def typed(config: DictConfig) -> HarnessConfig:
    """Turn a composed config into its typed form.

    Raises:
        ConfigError: a key is unknown, a value is missing or of the wrong type or out of range.
    """
    result = typed_as(HarnessConfig, resolved(config))
    _check_ranges(result)
    return _without_unwanted(result)


def _without_unwanted(config: HarnessConfig) -> HarnessConfig:
    """Leave out the encoder or the static vectors, as ``vectors`` says."""
    if config.vectors == "static":
        return replace(config, encoder=_NONE)
    if config.vectors == "contextual":
        return replace(config, embedding=_NONE)
    return config


def typed_as(schema: type[T], values: Mapping[str, Any]) -> T:
    """Turn plain values into a dataclass, names and types checked.

    Raises:
        ConfigError: a key is unknown or missing, or a value is of the wrong type.
    """
    result: T = _instance(schema, values, "")
    return result


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return the config as plain values, interpolations resolved.

    Raises:
        ConfigError: an interpolation has no target, or a mandatory value is missing.
    """
    try:
        missing = OmegaConf.missing_keys(config)
        if missing:
            keys = " ".join(f"{key}=..." for key in sorted(missing))
            raise ConfigError(f"a value is needed; add {keys}")
        values = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        if match := re.search(r"Missing mandatory value: (\S+)", str(error)):
            raise ConfigError(f"a value is needed; add {match.group(1)}=...") from None
        raise ConfigError(" ".join(str(error).split())) from None
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def build(
    node: Any,
    *,
    where: str,
    prefixes: Sequence[str] = (),
    offered: Mapping[str, Any] | None = None,
    **extra: Any,
) -> Any:
    """Make the object that a ``_target_`` node names.

    Args:
        node: plain mapping with ``_target_`` and the keyword arguments of that class or function, nested
            nodes included; ``{name: none}`` makes None.
        where: the node's key, named in errors.
        prefixes: modules that may be instantiated beside the harness's own and torch's.
        offered: keyword arguments that the engine supplies if the target takes them and the node is silent.
        **extra: keyword arguments that the engine supplies.

    Raises:
        ConfigError: the target is not allowed or does not exist, a key is unknown, missing, or of the
            wrong type.
    """
    target = _target_of(node, where, prefixes)
    if target is None:
        return None
    signature = inspect.signature(target)
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    arguments: dict[str, Any] = dict(extra)
    for key, value in node.items():
        if key == _TARGET:
            continue
        if key not in signature.parameters or key in extra:
            known = set(signature.parameters) - set(extra) - {"self"}
            raise ConfigError(f"{where}.{key}: {node[_TARGET]} has no such option{nearest(str(key), known)}")
        if isinstance(value, Mapping) and _TARGET in value:
            arguments[key] = build(value, where=f"{where}.{key}", prefixes=prefixes)
        else:
            arguments[key] = _checked(value, hints.get(key, Any), f"{where}.{key}")
    for name, parameter in signature.parameters.items():
        if name in (offered or {}):
            arguments.setdefault(name, (offered or {})[name])
        if parameter.default is inspect.Parameter.empty and name not in arguments:
            raise ConfigError(f"{where}.{name}: {node[_TARGET]} needs a value; add +{where}.{name}=...")
    return target(**arguments)


def _target_of(node: Any, where: str, prefixes: Sequence[str]) -> Callable[..., Any] | None:
    """Return what a node's ``_target_`` names; None for ``{name: none}``."""
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where} is {node!r}; expected a group choice such as {where}=NAME")
    if node.get(_TARGET):
        return _locate(str(node[_TARGET]), where, (*_PREFIXES, *(f"{p.rstrip('.')}." for p in prefixes)))
    if names_nothing(node):
        return None
    raise ConfigError(f"{where}._target_ is missing: it names the class to make, as in conf/{where}/*.yaml")


def names_nothing(node: Any) -> bool:
    """Whether a node is a group's choice ``none``."""
    return isinstance(node, Mapping) and not node.get(_TARGET) and node.get("name") == "none"


def _locate(name: str, where: str, prefixes: Sequence[str]) -> Callable[..., Any]:
    if not name.startswith(tuple(prefixes)):
        raise ConfigError(
            f"{where}._target_ is '{name}'; only {', '.join(prefixes)} may be used (add yours to plugins=[...])"
        )
    module_name, _, attribute = name.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{where}._target_: no module '{error.name}' (from '{name}')") from None
    target = getattr(module, attribute, None)
    if not callable(target):
        public = [n for n, value in vars(module).items() if getattr(value, "__module__", "") == module_name]
        raise ConfigError(f"{where}._target_: {module_name} has no '{attribute}'{nearest(attribute, public)}")
    return typing.cast(Callable[..., Any], target)


def _checked(value: Any, hint: Any, where: str) -> Any:
    """Check a plain value against a type hint; return it converted (a path, a tuple, a dataclass)."""
    import pydantic

    if is_dataclass(hint):
        return _instance(hint, value, f"{where}.")
    settings = pydantic.ConfigDict(arbitrary_types_allowed=True, strict=False)
    try:
        return pydantic.TypeAdapter(hint, config=settings).validate_python(_unambiguous(value, hint, where))
    except pydantic.ValidationError as error:
        reason = error.errors()[0]["msg"].lower().replace("input should be", "expected")
        raise ConfigError(f"{where} is {value!r}; {reason}") from None


def _unambiguous(value: Any, hint: Any, where: str) -> Any:
    """Refuse what a lax check would let pass: a boolean or a number in quotes where a number is meant."""
    numeric = {int, float} & {hint, *typing.get_args(hint)}
    if numeric and (isinstance(value, bool) or (isinstance(value, str) and str not in typing.get_args(hint))):
        wanted = " or ".join(sorted(t.__name__ for t in numeric))
        raise ConfigError(f"{where} is {value!r}; expected {wanted}")
    return value


def _instance(schema: Any, values: Any, where: str) -> Any:
    """Make a dataclass from plain values, checking names and types."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where.rstrip('.') or 'config'} is {values!r}; expected keys and values")
    hints = typing.get_type_hints(schema)
    known = {one.name for one in fields(schema)}
    for key in values:
        if key not in known:
            raise ConfigError(f"{where}{key}: there is no such option{nearest(str(key), known)}")
    required = {one.name for one in fields(schema) if one.default is MISSING and one.default_factory is MISSING}
    for key in sorted(required - set(values)):
        raise ConfigError(f"{where}{key} is missing; add {where}{key}=...")
    return schema(**{key: _checked(value, hints[key], f"{where}{key}") for key, value in values.items()})


def _check_ranges(config: HarnessConfig) -> None:
    trainer, data = config.trainer, config.data
    if config.shard is not None and config.dry_run:
        raise ConfigError(f"shard={config.shard} with dry_run=true: only the whole can be asked for; leave shard out")
    given = [split for split in ("train", "dev", "test") if getattr(data, split) is not None]
    if given and data.source != "files":
        raise ConfigError(f"data.{given[0]} is given, but data={data.source} reads no local file; add data=files")
    bounds: list[tuple[str, float | None, float, float]] = [
        ("data.fraction", config.data.fraction, 1e-9, 1.0),
        ("trainer.lr", trainer.lr, 0.0, float("inf")),
        ("trainer.weight_decay", trainer.weight_decay, 0.0, float("inf")),
        ("trainer.plateau_factor", trainer.plateau_factor, 1e-9, 1 - 1e-9),
        ("trainer.plateau_patience", trainer.plateau_patience, 0, float("inf")),
        ("trainer.batch_size", trainer.batch_size, 1, float("inf")),
        ("trainer.eval_batch_size", trainer.eval_batch_size, 1, float("inf")),
        ("trainer.max_batch_tokens", trainer.max_batch_tokens, 1, float("inf")),
        ("trainer.max_epochs", trainer.max_epochs, 1, float("inf")),
        ("trainer.patience", trainer.patience, 1, float("inf")),
        ("trainer.average", trainer.average, 1e-9, 1 - 1e-9),
        ("trainer.grad_norm", trainer.grad_norm, 1e-12, float("inf")),
        ("seed", config.seed, 0, 2**32 - 1),
        ("threads", config.threads, 1, 4096),
    ]
    check_bounds(bounds)


def check_bounds(bounds: Sequence[tuple[str, float | None, float, float]]) -> None:
    """Check values, each given as its name, itself, and its least and greatest; None passes.

    Raises:
        ConfigError: naming the first that is out of its range.
    """
    for name, value, least, most in bounds:
        if value is not None and not least <= value <= most:
            raise ConfigError(f"{name} is {value}; expected a value from {least} to {most}")


def check_dropout(name: str, value: float) -> None:
    """Check a probability of dropping a value.

    Raises:
        ConfigError: it is out of range.
    """
    if not 0 <= value < 1:
        raise ConfigError(f"{name} is {value}; expected a value from 0 to below 1")
