"""Compose configs with Hydra, and report its errors in one line."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import ConfigError, nearest, one_line

CONF = Path(__file__).resolve().parents[2] / "conf"
ASSETS = Path(__file__).resolve().parents[1] / "assets"


def register_resolvers() -> None:
    """Register the interpolations ``${user_cache:}`` and ``${asset:NAME}``; calling it again changes nothing."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("user_cache", user_cache, replace=True)
    OmegaConf.register_new_resolver("asset", lambda name: str(ASSETS / name), replace=True)


def compose_values(root: str, overrides: Sequence[str]) -> Any:
    """Compose a config outside a run, and return it.

    Args:
        root: The name of the root config in ``conf/``, without ``.yaml``.
        overrides: Overrides as on the command line.

    Raises:
        ConfigError: An override is wrong.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    register_resolvers()
    refuse_lists(overrides)
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose(root, overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, CONF)) from None


def run_jobs(root: str, argv: list[str], job: Callable[[Any], None]) -> None:
    """Let Hydra compose one config, or several with ``-m``, and call ``job`` with each.

    A wrong request is reported in one line and ends the process with exit status 2.

    Args:
        root: The name of the root config in ``conf/``, without ``.yaml``.
        argv: The command line without the program's name.
        job: Called with each composed config.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, and they are reported here in one line
    import hydra
    from omegaconf import DictConfig

    from harness.utils.console import configure_logging

    configure_logging()
    register_resolvers()

    def composed(config: DictConfig) -> None:
        job(config)

    try:
        refuse_lists(argv)
    except ConfigError as error:
        bad_request(str(error))
    sys.argv = [sys.argv[0], *_flags_first(argv)]
    with wrong_requests_explained():
        hydra.main(config_path=str(CONF), config_name=root, version_base="1.3")(composed)()


def refuse_lists(overrides: Sequence[str]) -> None:
    """Refuse a list as the choice of a group: Hydra would merge the files, or end in a traceback.

    Presets are meant to be merged, so ``experiment`` takes a list.

    Raises:
        ConfigError: The choice of a group is a list.
    """
    groups = {path.name for path in CONF.iterdir() if path.is_dir()} - {"experiment"}
    for override in overrides:
        key, _, value = override.partition("=")
        if key.lstrip("+") in groups and value.startswith("["):
            each = value.strip("[]")
            raise ConfigError(f"{override}: a group has one choice, {key}=NAME; to run several, write -m {key}={each}")


@contextmanager
def wrong_requests_explained() -> Iterator[None]:
    """Report an error of Hydra or of reading a config in one line, and exit with status 2."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
        bad_request(explain(error, CONF))
    except OSError as error:
        bad_request(one_line(error))


def _flags_first(argv: list[str]) -> list[str]:
    """Put flags before overrides, because Hydra's parser wants all overrides next to each other."""
    overrides = [a for a in argv if not a.startswith("-") and ("=" in a or a.startswith("~"))]
    return [a for a in argv if a not in overrides] + overrides


def explain(error: Exception, conf: Path) -> str:
    """Return an error of Hydra or OmegaConf as one line: what, where, the fix.

    Args:
        error: The error that composing raised.
        conf: The folder of the config groups.
    """
    from hydra.errors import OverrideParseException

    text = str(error)
    if isinstance(error, OverrideParseException):
        reason = text.partition("\n")[0].partition(" expecting ")[0]
        quoted = "write KEY=VALUE, and quote a value with special characters: 'KEY=\"VALUE\"'"
        return f"{error.override}: Hydra cannot read this ({reason}); {quoted}"
    if match := re.search(r"Ambiguous value for argument '([^=]*)=(.*)'", text):
        key, values = match.groups()
        return f"{key}={values}: add -m to run each value in turn, or write {key}=[{values}] for one list"
    if match := re.search(r"Could not find '(\w+)/([^']*)'", text):
        group, choice = match.groups()
        choices = [
            path.relative_to(conf / group).with_suffix("").as_posix() for path in (conf / group).glob("**/*.yaml")
        ]
        if choices:
            return f"{group}={choice}: there is no such choice{nearest(choice, choices)}"
    if match := re.search(r"Key '([^']+)' is not in struct\s+full_key: (\S+)", text):
        return _no_such_option(match.group(2), conf)
    if match := re.search(r"Could not override '([^']+)'. No match in the defaults list", text):
        groups = [path.name for path in conf.iterdir() if path.is_dir()]
        return f"{match.group(1)}: there is no such group{nearest(match.group(1), groups)}"
    if match := re.search(r"Could not override '([^']+)'", text):
        return _no_such_option(match.group(1), conf)
    return " ".join(text.split())


def _no_such_option(key: str, conf: Path) -> str:
    known = _known_keys(conf)
    for name in (key, key.rpartition(".")[0]):
        if f"{name}.+" in known:
            return f"{name} has no values yet; add each with a plus: +{name}.NAME=VALUE"
    known = {name for name in known if not name.endswith(".+")}
    if key in known:
        hint = f"; another choice of the group '{key.partition('.')[0]}' has it"
    else:  # only a similar name: the list of all options is too long for one line
        hint = nearest(key, get_close_matches(key, known, n=1))
    return f"{key}: there is no such option{hint} (--cfg job shows all options)"


def _known_keys(conf: Path) -> set[str]:
    """Return every dotted key of every config file, and ``KEY.+`` for a key below which any name may be added."""
    from omegaconf import DictConfig, OmegaConf

    keys: set[str] = set()

    def walk(node: DictConfig, prefix: str) -> None:
        for key in node:
            name = f"{prefix}{key!s}"
            keys.add(name)
            child = node._get_node(key)
            if isinstance(child, DictConfig) and not child._is_none() and not child._is_interpolation():
                keys.update([] if child else [f"{name}.+"])
                walk(child, f"{name}.")

    for path in conf.glob("**/*.yaml"):
        if path.name == "wandb_sweep.yaml":  # read by wandb's own agent
            continue
        node = OmegaConf.load(path)
        whole = path.parent == conf or "@package _global_" in path.read_text(encoding="utf-8")
        if isinstance(node, DictConfig):
            walk(node, "" if whole else f"{path.parent.relative_to(conf).as_posix().replace('/', '.')}.")
    return {key for key in keys if not key.startswith(("defaults", "hydra"))}


def bad_request(message: str, *, exit_status: int = 2) -> NoReturn:
    """Print what is wrong with the request, and exit.

    Args:
        message: The error in one line.
        exit_status: The exit status of the process.
    """
    print(f"error: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(exit_status)


def user_cache() -> str:
    """Return the user's cache folder for this project."""
    from platformdirs import user_cache_dir

    return user_cache_dir("elmo-harness", appauthor=False)
