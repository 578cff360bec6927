"""The typed schema of what the engine owns in ``conf/config.yaml``. Plug-ins are built by ``instantiate.build``."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.config.bounds import (
    Count,
    Dropout,
    Fraction,
    NonNegative,
    OpenFraction,
    Positive,
    PositiveFloat,
    Seed,
    Threads,
)
from harness.config.instantiate import instance_of, names_nothing, typed_as
from harness.config.secrets import Texts, values_and_texts, with_texts
from harness.errors import ConfigError
from harness.utils.text_files import with_home

# The options that determine a run's result, in addition to the data. The encoder, the static vectors and the device do
# too, but by their fingerprints and kind; every other option is a path, a matter of logging, or a one-off flag.
_DETERMINING = ("task", "mixing", "trainer", "cache", "cache_dtype", "code_length", "seed")
_OF_DATA = ("fraction", "columns", "tokenize")  # the rest of the group names the data, which have digests
_OF_ENCODER = ("mixing", "cache", "cache_dtype")  # without an encoder, these determine nothing

LOCAL_FILES = "data=files data.train=... data.dev=... data.test=..."  # the overrides that select local files
# Options of the group ``data`` that say how local files are read.
OF_FILES = ("train", "dev", "test", "columns", "tokenize", "dev_fraction", "test_fraction")

Placement = Literal["input", "output", "both"]
Precision = Literal["float16", "float32"]
Vectors = Literal["both", "contextual", "static"]
_NONE = {"name": "none"}
_WHITESPACE = "whitespace"
_MAX_EPOCHS, _MAX_EPOCHS_OF_SAMPLE = 20, 8  # the small sample data are learned within 8 epochs


@dataclass
class DataConfig:
    """Which data a task reads (group ``data``).

    Attributes:
        source: ``sample`` (made by the project), ``official`` (the published data set, downloaded) or ``files``
            (local files in the published format).
        train: The training file, for ``files``.
        dev: The development file, for ``files``.
        test: The test file, for ``files``.
        columns: The numbers of the columns of the word and of its tag, for column files: 1 is the first column, -1 the
            last. None for the task's usual columns.
        tokenize: How raw text is split into tokens: the name of a tokeniser (``english``, ``whitespace``,
            ``characters``, ``spacy:CODE``), or True for ``english``. None or False if spaces separate the tokens.
        dev_fraction: The part of the training file that becomes the development data, if there is no ``dev``.
        test_fraction: The part of the training file that becomes the test data, if there is no ``test``.
        fraction: The part of the training examples that is used; smaller parts are subsets of larger ones.
        cache_dir: The folder of downloads, for ``official``.
    """

    source: Literal["sample", "official", "files"] = "sample"
    train: str | None = None
    dev: str | None = None
    test: str | None = None
    columns: tuple[int, int] | None = None
    tokenize: bool | str | None = None
    dev_fraction: OpenFraction | None = None
    test_fraction: OpenFraction | None = None
    fraction: Fraction = 1.0
    cache_dir: str = ""

    def path(self, split: str) -> Path:
        """Return the local file of a split.

        Raises:
            ConfigError: No file was given.
        """
        path = getattr(self, split)
        if path is None:
            if self.source == "official":
                raise ConfigError(f"data=official: there is nothing to download; add {LOCAL_FILES}")
            missing = f"data.{split} is not given; add data=files data.{split}=FILE"
            if split != "train":
                missing += f", or data.{split}_fraction=0.1 if the task can cut it from the training file"
            raise ConfigError(missing)
        return Path(path)

    @property
    def tokenizer(self) -> str:
        """The name of the tokeniser of raw text; see ``harness.utils.tokenizers``."""
        return tokenizer_of(self.tokenize)


def tokenizer_of(tokenize: bool | str | None) -> str:
    """Return the name of the tokeniser that a value of ``data.tokenize`` means."""
    return tokenize if isinstance(tokenize, str) else "english" if tokenize else _WHITESPACE


@dataclass
class TrainerConfig:
    """How a head is trained. ``conf/config.yaml`` explains each value in one line."""

    optimizer: str = "Adam"
    optimizer_options: dict[str, Any] = field(default_factory=dict)
    lr: NonNegative = 0.001
    weight_decay: NonNegative = 0.0
    batch_size: Positive = 32
    eval_batch_size: Positive = 64
    max_batch_tokens: Positive = 16384
    max_epochs: Positive = _MAX_EPOCHS
    patience: Positive = 5
    grad_norm: PositiveFloat | None = 5.0
    plateau_factor: OpenFraction = 0.5
    plateau_patience: Count | None = None
    average: OpenFraction | None = None


@dataclass
class HarnessConfig:
    """Everything that ``conf/config.yaml`` composes. The nodes of plug-ins stay plain values until they are built."""

    task: Any
    data: DataConfig
    encoder: Any
    embedding: Any
    mixing: Any
    tracking: Any
    trainer: TrainerConfig
    vectors: Vectors = "both"
    seed: Seed = 1
    code_length: bool = False
    device: str = "auto"
    cache: Literal["disk", "none"] = "disk"
    cache_dtype: Precision = "float16"
    cache_dir: str = ""
    results_dir: str = "results"
    overwrite: bool = False
    dry_run: bool = False
    shard: str | None = None
    sweep: str | None = None
    threads: Threads | None = None
    plugins: list[str] = field(default_factory=list)
    _texts: Texts = field(default_factory=dict, repr=False)  # set by ``typed``; see ``harness.config.secrets``

    def determining(self) -> dict[str, Any]:
        """Return the options that determine a run's result; see ``determining_options``."""
        return determining_options(vars(self) | {"trainer": asdict(self.trainer), "data": asdict(self.data)})


def determining_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that determine a run's result, from all options as plain values.

    The data, the encoder, the static vectors and the device determine it too; the identity adds their digests. How data
    files are read belongs to the result, because ``predict`` reads new files in the same way.
    """
    own = {key: values[key] for key in _DETERMINING}
    own["task"] = without_data(values["task"])
    own["mixing"] = {key: value for key, value in values["mixing"].items() if key != "name"}
    own["data"] = {key: values["data"][key] for key in _OF_DATA}
    tokenizer = tokenizer_of(own["data"]["tokenize"])
    own["data"]["tokenize"] = None if tokenizer == _WHITESPACE else tokenizer
    if names_nothing(values["encoder"]):
        for key in _OF_ENCODER:
            del own[key]
    return own


def without_data(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the node of a task without the data it reads."""
    return {key: value for key, value in task.items() if key != "data"}


@dataclass(frozen=True, kw_only=True)
class MixingConfig:
    """The group ``mixing``, divided into what the engine reads and what the mix reads.

    Attributes:
        name: The name of the mix in tables.
        placement: Where the mix enters the head.
        dropout: The probability of dropping a value of the mixed vector.
        mix: The node that the mix is built from.
    """

    name: str
    placement: Placement = "input"
    dropout: Dropout = 0.0
    mix: Mapping[str, Any] = field(default_factory=dict)


def mixing_of(node: Any) -> MixingConfig:
    """Divide the group ``mixing`` into what the engine reads and what the mix reads.

    Raises:
        ConfigError: A value is of the wrong type or out of range.
    """
    own = {key: node[key] for key in ("name", "placement", "dropout") if key in node}
    mix = {key: value for key, value in node.items() if key not in own}
    mixing: MixingConfig = instance_of(MixingConfig, own, "mixing.")
    return replace(mixing, mix=mix)


def plain(config: Any) -> dict[str, Any]:
    """Return a ``HarnessConfig`` or a ``PretrainConfig`` as JSON-serialisable values that may be written.

    A value that was read from the environment can be a secret, so its text (``${oc.env:TOKEN}``) takes its place.
    """
    values = asdict(config)
    return with_texts(values, values.pop("_texts"))


def typed(config: DictConfig) -> HarnessConfig:
    """Convert a composed config to its typed form.

    Raises:
        ConfigError: A key is unknown, or a value is missing, of the wrong type or out of range.
    """
    values, texts = values_and_texts(lambda: resolved(config))
    result = typed_as(HarnessConfig, _with_max_epochs(values))
    _check_combinations(result)
    return _without_unwanted(replace(result, _texts=texts))


def _with_max_epochs(values: dict[str, Any]) -> dict[str, Any]:
    """Replace ``trainer.max_epochs=null`` by its default, which is smaller for sample data."""
    trainer, data = values.get("trainer"), values.get("data")
    if isinstance(trainer, dict) and isinstance(data, dict) and trainer.get("max_epochs", 0) is None:
        trainer["max_epochs"] = _MAX_EPOCHS_OF_SAMPLE if data.get("source") == "sample" else _MAX_EPOCHS
    return values


def _without_unwanted(config: HarnessConfig) -> HarnessConfig:
    """Leave out the encoder or the static vectors if the option ``vectors`` excludes them."""
    if config.vectors == "static":
        return replace(config, encoder=_NONE)
    if config.vectors == "contextual":
        return replace(config, embedding=_NONE)
    return config


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return a config as plain values with its interpolations resolved.

    Raises:
        ConfigError: An interpolation has no target, or a mandatory value is missing.
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
    return {str(key): _with_home(value) for key, value in values.items()}


def _with_home(value: Any) -> Any:
    """Return a value with the home folder in place of ``~`` at the start of every path in it."""
    if isinstance(value, dict):
        return {key: _with_home(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_home(inner) for inner in value]
    return str(with_home(value)) if isinstance(value, str) and value.startswith("~") else value


def _check_combinations(config: HarnessConfig) -> None:
    """Refuse options that exclude each other."""
    data = config.data
    if config.shard is not None and config.dry_run:
        raise ConfigError(f"shard={config.shard} with dry_run=true: a dry run covers the whole run; leave shard out")
    if config.vectors == "contextual" and names_nothing(config.encoder):
        raise ConfigError("encoder=none with vectors=contextual leaves no vectors; choose vectors=static")
    given = [name for name in OF_FILES if getattr(data, name) is not None]
    for key in config.trainer.optimizer_options:
        if str(key).startswith("_"):
            raise ConfigError(f"trainer.optimizer_options.{key}: there is no such option; set trainer.optimizer=NAME")
    if given and data.source != "files":
        raise ConfigError(f"data.{given[0]} is given, but data={data.source} reads no local file; add data=files")
    for split in ("dev", "test"):
        if {split, f"{split}_fraction"} <= set(given):
            raise ConfigError(
                f"data.{split}_fraction cuts the {split} data from the training file; leave out data.{split}"
            )
