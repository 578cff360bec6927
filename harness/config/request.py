"""Read the words of a command line: which are flags, which are overrides, and what is wrong with the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.config.options import CONF, groups_of, known_keys, option_meant
from harness.errors import ConfigError
from harness.utils.text_files import exists, with_home

_SWITCHES = ("-m", "--multirun", "-r", "--run", "--resolve", "--hydra-help", "-sc", "--shell-completion")
_WITH_VALUE = (
    *("-cd", "--config-dir", "-c", "--cfg", "-p", "--package", "-i", "--info", "--experimental-rerun"),
    *("-cp", "--config-path", "-cn", "--config-name"),
)
_CONFIG_DIR = ("-cd", "--config-dir")
_UNREADABLE = object()  # a value that Hydra's grammar does not accept
_DEVICES = {"gpu": "device=cuda", "cuda": "device=cuda", "cpu": "device=cpu"}

# The options whose values are paths: these may contain any character without quotes.
PATHS = (
    *("data.train", "data.dev", "data.test", "data.cache_dir", "cache_dir", "results_dir", "out", "init"),
    *("encoder.options", "encoder.weights", "encoder.path", "encoder.model", "encoder.cache_dir"),
    *("embedding.path", "embedding.cache_dir"),
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """The words of a command line, sorted.

    Attributes:
        root: The name of the root config in ``conf/``, without ``.yaml``.
        flags: Flags of Hydra with their values, such as ``-m``.
        overrides: Overrides, in a form that Hydra's parser accepts.
        config_dirs: The folders that ``--config-dir`` adds to ``conf/``.
    """

    root: str = "config"
    flags: list[str] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    config_dirs: list[Path] = field(default_factory=list)

    @property
    def multirun(self) -> bool:
        """Whether the request is for a sweep."""
        return not {"-m", "--multirun"}.isdisjoint(self.flags)

    @property
    def folders(self) -> list[Path]:
        """The folders of the config groups, in the order in which Hydra searches them."""
        return [CONF, *self.config_dirs]

    @property
    def searchpath(self) -> list[str]:
        """The override that adds the user's folders where no flag can do it."""
        folders = ",".join(quoted(f"file://{folder}") for folder in self.config_dirs)
        return [f"hydra.searchpath=[{folders}]"] if folders else []


def read_request(words: Sequence[str], *, root: str = "config") -> Request:
    """Sort the words of a command line into flags and overrides.

    Args:
        words: The words after the program's name and the subcommand.
        root: The name of the root config in ``conf/``, without ``.yaml``.

    Raises:
        ConfigError: A word is neither a flag nor an override, or a group has two choices or a list.
    """
    request = Request(root=root)
    before = ""  # the override before a word that is none
    rest = iter(words)
    for word in rest:
        name, has_value, value = word.partition("=")
        if word.startswith("-"):
            if name not in (*_SWITCHES, *_WITH_VALUE):
                raise ConfigError(_no_such_flag(word, next(rest, ""), root))
            if name in _WITH_VALUE and not has_value:
                value = next(rest, "")
                if not value:
                    raise ConfigError(f"{name} needs a value; write {name} VALUE")
            if name in _CONFIG_DIR:
                request.config_dirs.append(_folder(value, name))
                value = str(request.config_dirs[-1])
            request.flags.extend([name, value] if name in _WITH_VALUE else [word])
        elif has_value or word.startswith("~"):
            request.overrides.append(word)
            before = word
        else:
            raise ConfigError(_stray(word, before, next(rest, ""), root))
    _refuse_two_choices(request.overrides, root)
    request.overrides[:] = [_with_path_quoted(word, multirun=request.multirun) for word in request.overrides]
    return request


def quoted(value: str, *, double: bool = False) -> str:
    """Return a value in the quotes of Hydra's grammar, so that it is read as it stands.

    Args:
        value: The value.
        double: Whether to use double quotes.
    """
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text=value, quote=Quote.double if double else Quote.single).with_quotes()


def _folder(value: str, flag: str) -> Path:
    path = with_home(value).resolve()
    if not path.is_dir():
        raise ConfigError(f"{flag} {value}: there is no such folder")
    for file in (path / own.relative_to(CONF) for own in sorted(CONF.glob("*/**/*.yaml"))):
        if path != CONF and file.exists():
            raise ConfigError(f"{file}: a choice of the harness has this name and would be read instead; rename yours")
    return path


def readable(override: str) -> bool:
    """Return whether Hydra's grammar accepts an override."""
    return _parsed(override) is not _UNREADABLE


def _no_such_flag(word: str, after: str, root: str) -> str:
    """Return the message about an unknown flag; most people who write one mean an option."""
    name, has_value, value = word.lstrip("-").partition("=")
    option = option_meant(name.replace("-", "_"), known_keys(root))
    fix = _DEVICES.get(name) or (f"{option}={value if has_value else _value_in(after)}" if option else "KEY=VALUE")
    return f"{word}: there is no such flag; write {fix} (--help lists all options)"


def _stray(word: str, before: str, after: str, root: str) -> str:
    """Return the message about a word that is neither a flag nor an override."""
    if word in known_keys(root):
        return f"{word}: an option needs a value; write {word}={_value_in(after)}"
    if before:
        several, spaced = f"{before.rstrip(',')},{word}", f"'{before} {word}'"
        return f"'{word}' is not KEY=VALUE; for several values, write -m {several}; for a value with a space, {spaced}"
    return f"'{word}' is not KEY=VALUE; to run a task, write task=NAME (--help lists all options)"


def _value_in(word: str) -> str:
    """Return a word that could be the value of the option before it, or dots."""
    return word if word and "=" not in word and not word.startswith("-") else "..."


def _refuse_two_choices(overrides: Sequence[str], root: str) -> None:
    """Refuse two choices of one group, and a list; of other options given twice, the last value counts.

    Presets are meant to be merged, so ``experiment`` takes a list.
    """
    groups, chosen = groups_of(root), dict[str, str]()
    for override in overrides:
        key, _, choice = override.lstrip("+").partition("=")
        if key in groups and key != "experiment" and choice.startswith("["):
            each = choice.strip("[]")
            raise ConfigError(f"{override}: a group has one choice, {key}=NAME; to run several, write -m {key}={each}")
        if key in groups and chosen.setdefault(key, choice) != choice:
            first = f"{key}={chosen[key]}"
            raise ConfigError(f"{first} and {override}: give one of them, or run both with -m {first},{choice}")


def _with_path_quoted(override: str, *, multirun: bool) -> str:
    """Quote the value of an option that takes a path if Hydra could not read it, or would not read a text.

    A value that Hydra reads as several values, a list or a function keeps this meaning unless a file of that name
    exists.
    """
    key, has_value, value = override.partition("=")
    if not has_value or key.lstrip("+") not in PATHS:
        return override
    parsed, is_file = _parsed(override), exists(with_home(value))
    if isinstance(parsed, str) or (parsed is _UNREADABLE and value.startswith(("[", "{", "'", '"')) and not is_file):
        return override
    if parsed is _UNREADABLE and multirun and not is_file:
        return f"{key}={','.join(map(quoted, value.split(',')))}"
    return f"{key}={quoted(value)}" if is_file or parsed is _UNREADABLE or isinstance(parsed, int | float) else override


def _parsed(override: str) -> Any:
    """Return the value of an override as Hydra reads it, or ``_UNREADABLE``."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(override).value()
    except HydraException:
        return _UNREADABLE
