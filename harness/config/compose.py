"""Compose configs with Hydra from the words of a command line."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.config.explain import explain, wrong_requests_explained
from harness.config.options import CONF
from harness.config.request import read_request
from harness.errors import ConfigError
from harness.utils.console import configure_logging

ASSETS = Path(__file__).resolve().parents[1] / "assets"


def register_resolvers() -> None:
    """Register the interpolations ``${user_cache:}`` and ``${asset:NAME}``; calling it again changes nothing."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("user_cache", user_cache, replace=True)
    OmegaConf.register_new_resolver("asset", lambda name: str(ASSETS / name), replace=True)


def compose_values(root: str, words: Sequence[str]) -> Any:
    """Compose a config outside a run, and return it.

    Args:
        root: The name of the root config in ``conf/``, without ``.yaml``.
        words: Overrides as on the command line, and perhaps ``--config-dir``.

    Raises:
        ConfigError: A word is wrong.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    register_resolvers()
    request = read_request(words, root=root)
    if len(request.flags) > 2 * len(request.config_dirs):
        raise ConfigError(f"{request.flags[0]}: this command takes no flag of Hydra except --config-dir")
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose(root, overrides=[*request.overrides, *request.searchpath])
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, request)) from None


def run_jobs(root: str, words: Sequence[str], job: Callable[[Any], None]) -> None:
    """Let Hydra compose one config, or several with ``-m``, and call ``job`` with each.

    A wrong request is reported in one line and ends the process with exit status 2.

    Args:
        root: The name of the root config in ``conf/``, without ``.yaml``.
        words: The command line without the program's name.
        job: Called with each composed config.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its errors, and they are reported here in one line
    configure_logging()
    with wrong_requests_explained():
        request = read_request(words, root=root)
    import hydra
    from omegaconf import DictConfig

    register_resolvers()

    def composed(config: DictConfig) -> None:
        job(config)

    sys.argv = [sys.argv[0], *request.flags, *request.overrides]
    with wrong_requests_explained(request):
        hydra.main(config_path=str(CONF), config_name=root, version_base="1.3")(composed)()


def user_cache() -> str:
    """Return the user's cache folder for this project."""
    from platformdirs import user_cache_dir

    return user_cache_dir("elmo-harness", appauthor=False)
