"""Values from the environment, ``${oc.env:NAME}``: they are used, but what is written holds their text instead.

Such a value can be a password. A record of a run, a wandb config and the files of a training are shared, so none of
them may hold it.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from omegaconf import OmegaConf
from omegaconf.resolvers import oc

_NAMES = re.compile(r"\$\{oc\.env:\s*(\w+)")

Texts = dict[tuple[str, ...], Any]  # the place of each value from the environment, and its text


def overrides_of(hydra: Any) -> tuple[str, ...]:
    """Return the overrides of a run or a sweep as they were written.

    They are nodes of a config, so reading them one by one would resolve what they take from the environment.

    Args:
        hydra: The node ``hydra`` of a composed config.
    """
    words: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    return tuple(map(str, words))


def values_and_texts(resolve: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], Texts]:
    """Return the resolved values of a config, and the text of each that comes from the environment.

    Args:
        resolve: Resolves the config.
    """
    asked = []

    def value_of(*words: Any) -> Any:
        asked.append(words)
        return oc.env(*words)

    with _environment(value_of):
        values = resolve()
    if not asked:  # the usual case; resolving twice costs time in a sweep of many jobs
        return values, {}
    with _environment(_text_of):
        return values, dict(_differences(resolve(), values))


def with_texts(values: dict[str, Any], texts: Texts) -> dict[str, Any]:
    """Put the texts in the place of the values from the environment.

    Args:
        values: Nested plain values, which are changed.
        texts: The text at each place; a place that does not exist any more is left out.
    """
    for path, text in texts.items():
        node = values
        for key in path[:-1]:
            node = node.get(key, {})
        if path[-1] in node:
            node[path[-1]] = text
    return values


def without_values(message: str, written: Any) -> str:
    """Return a message in which the values from the environment are replaced by their texts.

    Args:
        message: For example an error that quotes a value.
        written: The config as it is written, with ``${oc.env:NAME}`` for each of these values.
    """
    for name in set(_NAMES.findall(str(written))):
        if value := os.environ.get(name):
            message = message.replace(value, f"${{oc.env:{name}}}")
    return message


@contextmanager
def _environment(read: Callable[..., Any]) -> Iterator[None]:
    """Let ``read(NAME, DEFAULT)`` supply what ``${oc.env:NAME,DEFAULT}`` stands for."""
    OmegaConf.register_new_resolver("oc.env", read, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _text_of(*words: Any) -> str:
    """Return the interpolation itself."""
    return "${oc.env:" + ",".join("null" if word is None else str(word) for word in words) + "}"


def _differences(
    shown: Mapping[str, Any], values: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path of each value that differs, and the value that is shown."""
    for key, text in shown.items():
        if isinstance(text, Mapping) and isinstance(values[key], Mapping):
            yield from _differences(text, values[key], (*path, key))
        elif text != values[key]:
            yield (*path, key), text
