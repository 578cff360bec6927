"""Build objects from config nodes; names and types are checked against the signature of the class or function."""

import importlib
import importlib.util
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import ConfigError, nearest

T = TypeVar("T")
_TARGET = "_target_"
_PREFIXES = ("harness.", "tasks.", "torch.nn.", "torch.optim.")


def typed_as(schema: type[T], values: Mapping[str, Any]) -> T:
    """Return a dataclass made from plain values, after checking names, types and ranges.

    Args:
        schema: The dataclass.
        values: The value of each field, keyed by the field's name.

    Raises:
        ConfigError: A key is unknown or missing, or a value is of the wrong type or out of range.
    """
    result: T = instance_of(schema, values, "")
    return result


def build(
    node: Any,
    *,
    where: str,
    prefixes: Sequence[str] = (),
    offered: Mapping[str, Any] | None = None,
    **extra: Any,
) -> Any:
    """Return the object that a ``_target_`` node describes, or None for the node ``{name: none}``.

    Args:
        node: A plain mapping with ``_target_`` and the keyword arguments of that class or function. An argument
            can be a node itself.
        where: The node's key in the config, for error messages.
        prefixes: Modules whose targets are allowed in addition to those of the harness and of torch.
        offered: Keyword arguments that are passed if the target accepts them and the node does not set them.
        **extra: Keyword arguments that are always passed; the node must not set them.

    Raises:
        ConfigError: The target is not allowed or does not exist, a key is unknown or missing, or a value is of the
            wrong type or out of range.
    """
    target = _target_of(node, where, prefixes)
    if target is None:
        return None
    signature = inspect.signature(target)
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)
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
    """Return the class or function that ``_target_`` names, or None for ``{name: none}``."""
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where} is {node!r}; expected a group choice such as {where}=NAME")
    if node.get(_TARGET):
        return _locate(str(node[_TARGET]), where, (*_PREFIXES, *(f"{p.rstrip('.')}." for p in prefixes)))
    if names_nothing(node):
        return None
    raise ConfigError(f"{where}._target_ is missing; it names the class to build, as in conf/{where}/*.yaml")


def names_nothing(node: Any) -> bool:
    """Return whether a node is the choice ``none`` of its group."""
    return isinstance(node, Mapping) and not node.get(_TARGET) and node.get("name") == "none"


def _locate(name: str, where: str, prefixes: Sequence[str]) -> Callable[..., Any]:
    if not name.startswith(tuple(prefixes)):
        raise ConfigError(
            f"{where}._target_ is '{name}'; only {', '.join(prefixes)} may be used"
            " (to allow your own module, add plugins=[MODULE])"
        )
    module_name, _, attribute = name.rpartition(".")
    if name.startswith("tasks."):
        _load_own_tasks()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{where}._target_: no module '{error.name}' (from '{name}')") from None
    target = getattr(module, attribute, None)
    if not callable(target):
        public = [n for n, value in vars(module).items() if getattr(value, "__module__", "") == module_name]
        raise ConfigError(f"{where}._target_: {module_name} has no '{attribute}'{nearest(attribute, public)}")
    return typing.cast(Callable[..., Any], target)


def _load_own_tasks() -> None:
    """Import the package ``tasks`` of the harness, even if the working directory has a module of the same name.

    Raises:
        ConfigError: Another module of that name is already imported.
    """
    folder = Path(__file__).resolve().parents[2] / "tasks"
    loaded = sys.modules.get("tasks")
    if loaded is None:
        spec = importlib.util.spec_from_file_location(
            "tasks", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules["tasks"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    elif Path(str(loaded.__file__)).resolve().parent != folder:
        raise ConfigError(f"{loaded} was imported in place of the harness's own package 'tasks'; rename that module")


def _checked(value: Any, hint: Any, where: str) -> Any:
    """Check a plain value against a type hint, and return it converted (to a path, a tuple, a dataclass)."""
    import pydantic

    if is_dataclass(hint):
        return instance_of(hint, value, f"{where}.")
    settings = pydantic.ConfigDict(arbitrary_types_allowed=True, strict=False)
    try:
        return pydantic.TypeAdapter(hint, config=settings).validate_python(_unambiguous(value, hint, where))
    except pydantic.ValidationError as error:
        reason = error.errors()[0]["msg"].lower().replace("input should be", "expected")
        reason = re.sub("expected (greater|less)", r"expected a value \1", reason)
        raise ConfigError(f"{where} is {value!r}; {reason}") from None


def _unambiguous(value: Any, hint: Any, where: str) -> Any:
    """Return the value, but refuse a boolean or a number in quotes where a number is expected."""
    named = _plain_types(hint)
    numeric = {int, float} & named
    if numeric and (isinstance(value, bool) or (isinstance(value, str) and str not in named)):
        wanted = " or ".join(sorted(t.__name__ for t in numeric))
        raise ConfigError(f"{where} is {value!r}; expected {wanted}")
    return value


def _plain_types(hint: Any) -> set[Any]:
    """Return the types in a hint, without their ranges: ``{int, NoneType}`` for ``Positive | None``."""
    if typing.get_origin(hint) is typing.Annotated:
        return _plain_types(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return set().union(*map(_plain_types, typing.get_args(hint)))
    return {hint, *typing.get_args(hint)}


def instance_of(schema: Any, values: Any, where: str) -> Any:
    """Return a dataclass made from plain values, after checking names, types and ranges.

    Args:
        schema: The dataclass.
        values: A mapping from field names to values.
        where: The text before each key in error messages, such as ``"mixing."``.

    Raises:
        ConfigError: ``values`` is not a mapping, a key is unknown or missing, or a value does not fit.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where.rstrip('.') or 'config'} is {values!r}; expected keys and values")
    hints = typing.get_type_hints(schema, include_extras=True)
    known = {one.name for one in fields(schema)}
    for key in values:
        if key not in known:
            raise ConfigError(f"{where}{key}: there is no such option{nearest(str(key), known)}")
    required = {one.name for one in fields(schema) if one.default is MISSING and one.default_factory is MISSING}
    for key in sorted(required - set(values)):
        raise ConfigError(f"{where}{key} is missing; add {where}{key}=...")
    return schema(**{key: _checked(value, hints[key], f"{where}{key}") for key, value in values.items()})


def check_bounds(bounds: Sequence[tuple[str, float | None, float, float]]) -> None:
    """Check that values are in their ranges.

    Args:
        bounds: For each value: its name, the value (None is always accepted), the smallest and the largest allowed.

    Raises:
        ConfigError: A value is out of its range; the message names the first one.
    """
    for name, value, least, most in bounds:
        if value is not None and not least <= value <= most:
            raise ConfigError(f"{name} is {value}; expected a value from {least} to {most}")


def check_dropout(name: str, value: float) -> None:
    """Check the probability of dropping a value.

    Args:
        name: The name of the option, for the error message.
        value: The probability, from 0 to below 1.

    Raises:
        ConfigError: The probability is out of range.
    """
    if not 0 <= value < 1:
        raise ConfigError(f"{name} is {value}; expected a value from 0 to below 1")
