"""What makes hundreds of small runs faster and changes none of their results."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins

from harness.config.options import CONF
from harness.runs.job import SHARED

TASKS = Path(__file__).resolve().parents[2] / "tasks"


@contextmanager
def config_files_parsed_once() -> Iterator[None]:
    """Let Hydra read each file of ``conf/`` and its own once in a process, and not for every config."""
    parsed: dict[tuple[str, str], Any] = {}

    def remembered(load: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
        def load_config(source: Any, config_path: str) -> Any:
            if source.path not in (str(CONF), "hydra.conf"):
                return load(source, config_path)
            key = (source.path, config_path)
            if key not in parsed:
                parsed[key] = load(source, config_path)
            return deepcopy(parsed[key])

        return load_config

    Plugins.instance()  # registers the kinds of sources
    with pytest.MonkeyPatch.context() as patch:
        for name in ("file", "pkg"):
            kind: Any = SourcesRegistry.instance().types[name]
            patch.setattr(kind, "load_config", remembered(kind.load_config))
        yield


@contextmanager
def few_sentences() -> Iterator[None]:
    """Cut dev and test of the samples that have sizes to 60 examples in this process, because runs score them often."""
    with pytest.MonkeyPatch.context() as patch:
        for path in TASKS.glob("*/sample.py"):
            sizes: dict[str, int] = getattr(import_module(f"tasks.{path.parent.name}.sample"), "SIZES", {})
            for split in sizes.keys() & {"dev", "test"}:
                patch.setitem(sizes, split, min(sizes[split], 60))
        patch.setattr(SHARED, "_built", {})  # the data of earlier runs in this process
        yield


def no_fsync(descriptor: int) -> None:
    """Take the place of ``os.fsync``: it matters only after a power failure, which no test simulates."""
    os.fstat(descriptor)  # a closed file is an error here too
