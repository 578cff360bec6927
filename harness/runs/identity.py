"""What determines the result of a run, as one flat mapping. Its digest, the identity, names the folder of the run.

An option that has its default value is left out, so that an option that is added later changes no identity. Therefore a
default may never change under the same identity: when one does, ``SCHEMA_VERSION`` must rise, or the ``version`` of the
task that has the option. ``tests/runs/test_identity.py`` holds the list of all defaults.
"""

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from harness.config.schema import DataConfig, HarnessConfig, MixingConfig, TrainerConfig
from harness.protocols import Task
from harness.runs.record import SCHEMA_VERSION

Target = Callable[..., Any]
_OWN_CODE = ("harness", "tasks", "torch")


@runtime_checkable
class ReadsFiles(Protocol):
    """A task with an option that is the path of a file. The content of the file determines the result, not its path.

    Attributes:
        file_digests: For each such option, a digest of what the file holds.
    """

    file_digests: Mapping[str, str]


def determining(
    options: Mapping[str, Any], *, task: Task, targets: Mapping[str, Target], inputs: Mapping[str, str]
) -> dict[str, Any]:
    """Return everything that determines the result of a run, by dotted key.

    Args:
        options: The determining options of the run; see ``harness.config.schema.determining_options``.
        task: The task.
        targets: The class or function that builds the task, and the one that builds the mix if there is an encoder.
        inputs: What else determines the result: the digests of the data, the fingerprints, and the kind of device.
    """
    if isinstance(task, ReadsFiles):
        options = {**options, "task": {**options["task"], **task.file_digests}}
    found = {"schema": SCHEMA_VERSION, "task.name": task.name, "task.version": task.version, **inputs}
    defaults_of_group: dict[str, Mapping[str, Any]] = {
        "trainer": defaults(TrainerConfig),
        "data": defaults(DataConfig),
        "mixing": {key: value for key, value in defaults(MixingConfig).items() if key != "mix"},
    }
    for group, target in targets.items():
        found[f"{group}.code"] = code(target)
        defaults_of_group[group] = {**defaults_of_group.get(group, {}), **defaults(target)}
    engine = defaults(HarnessConfig)
    for key, value in options.items():
        if key in defaults_of_group:
            found |= _chosen(value, defaults_of_group[key], f"{key}.")
        elif key == "seed" or plain(value) != plain(engine[key]):
            found[key] = value
    return found


def code(target: Target) -> str:
    """Return a name for the code of a plug-in that does not depend on where it lies.

    The harness's own classes are known by their names, and their versions say when they change. Code from elsewhere is
    known by the digest of its file, because a copy of a class that somebody has edited keeps its name. In a package, it
    is the digest of all files of the folder.
    """
    if target.__module__.partition(".")[0] in _OWN_CODE:
        return target.__qualname__
    return f"{target.__qualname__}@{_file_digest(target)}"


@cache
def _file_digest(target: Target) -> str:
    """Return the start of the SHA-256 of the code of a class or function; its module if there is no file."""
    try:
        file = Path(inspect.getfile(target))
        folder = file.parent.glob("[!.]*.py") if (file.parent / "__init__.py").exists() else [file]
        files = sorted(one for one in folder if one.is_file())
        return hashlib.sha256(b"\0".join(one.read_bytes() for one in files)).hexdigest()[:10]
    except (OSError, TypeError):
        return target.__module__


@cache
def defaults(target: Any) -> Mapping[str, Any]:
    """Return the default of each option of a class or function that has one."""
    if is_dataclass(target):
        made = {one.name: one.default_factory() for one in fields(target) if one.default_factory is not MISSING}
        return {one.name: one.default for one in fields(target) if one.default is not MISSING} | made
    parameters = inspect.signature(target).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}


def _chosen(values: Mapping[str, Any], default_of: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield each option that differs from its default, by its dotted key."""
    for key, value in values.items():
        default = default_of.get(key, MISSING)
        if key == "_target_":
            continue
        if is_dataclass(default) and isinstance(value, Mapping):
            kind: Any = type(default)
            given = {**defaults(kind), **value}
            of_default = {one.name: getattr(default, one.name) for one in fields(default)}
            yield from _chosen(given, of_default, f"{prefix}{key}.")
        elif default is MISSING or plain(value) != plain(default):
            yield f"{prefix}{key}", plain(value)


def plain(value: Any) -> Any:
    """Return a value in the one form that JSON gives to equal values: 1.0 becomes 1, a tuple a list, a path a text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
