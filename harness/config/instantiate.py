"""Build objects from config nodes, after checking names, types and ranges against the signature of the class."""

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

from harness.errors import ConfigError, described, nearest

T = TypeVar("T")
_TARGET = "_target_"
_NOT_OWN = (type(None), types.MethodDescriptorType)
_PREFIXES = ("harness.", "tasks.", "torch.nn.", "torch.optim.")


def typed_as(schema: type[T], values: Mapping[str, Any]) -> T:
    """Convert plain values to a dataclass; names, types and ranges are checked.

    Args:
        schema: The dataclass.
        values: The values by field name; nested dataclasses as nested mappings.

    Raises:
        ConfigError: A key is unknown or missing, or a value is of the wrong type or out of range.
    """
    result: T = instance_of(schema, values, "")
    return result


def build(
    node: Any, *, kind: type, where: str, plugins: Sequence[str] = (), supplied: Mapping[str, Any] | None = None
) -> Any:
    """Build the object that a ``_target_`` node names.

    A config may come from somebody else, so a target is called only if it makes an object of the kind that is wanted:
    it is a class of that kind, or a function whose return type is such a class.

    Args:
        node: A mapping with ``_target_`` and the keyword arguments of that class or function. ``{name: none}`` builds
            None.
        kind: The class of the object, or a protocol that it must satisfy.
        where: The key of the node, which error messages name.
        plugins: Modules that ``_target_`` may name in addition to the harness's own and torch's.
        supplied: Keyword arguments of the engine. The target receives those that it takes. The node may set
            only ``device`` itself.

    Returns:
        The object, or None.

    Raises:
        ConfigError: The target is not allowed, does not exist or makes an object of another kind, or a key is unknown,
            missing, of the wrong type or out of range.
    """
    target = target_of(node, where=where, plugins=plugins)
    if target is None:
        return None
    what = f"{where}: {node[_TARGET]}"
    if inspect.isclass(target):
        _check_kind(target, kind, what)
        hints = _hints_of(target.__init__, what)
    else:
        hints = _hints_of(target, what)
        _check_kind(hints.get("return"), kind, what)
    parameters = inspect.signature(target).parameters
    arguments = {key: value for key, value in (supplied or {}).items() if key in parameters}
    for key, value in node.items():
        if key == _TARGET:
            continue
        if key not in parameters or (key in (supplied or {}) and key != "device"):
            known = parameters.keys() - (supplied or {}).keys() - {"self"}
            raise ConfigError(f"{where}.{key}: {node[_TARGET]} has no such option{nearest(str(key), known)}")
        arguments[key] = _checked(value, hints.get(key, Any), f"{where}.{key}")
    for key, parameter in parameters.items():
        named = parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if named and parameter.default is inspect.Parameter.empty and key not in arguments:
            raise ConfigError(f"{where}.{key}: {node[_TARGET]} needs a value; add +{where}.{key}=...")
    built = target(**arguments)
    _check_kind(built, kind, what)
    return built


def _hints_of(function: Any, what: str) -> dict[str, Any]:
    """Return the types of a function's parameters, and of what it returns."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:  # a name that is imported for type checkers only; a function in C
        raise ConfigError(f"{what}: its type hints cannot be read ({error}); import what they name") from None


def _check_kind(made: Any, kind: type, what: str) -> None:
    """Check a class before it is called, or an object after it is built.

    A class of a protocol must have its methods, written in Python: ``str`` has a method ``encode`` too. The other
    members may be set by the constructor.
    """
    if not getattr(kind, "_is_protocol", False):
        right = issubclass(made, kind) if inspect.isclass(made) else isinstance(made, kind)
        missing = [] if right else [f"the base class {kind.__name__}"]
    else:
        names = [name for name in (*vars(kind), *inspect.get_annotations(kind)) if not name.startswith("_")]
        if inspect.isclass(made):
            names = [name for name in names if inspect.isfunction(vars(kind).get(name))]
        missing = [name for name in names if isinstance(inspect.getattr_static(made, name, None), _NOT_OWN)]
    if missing:
        raise ConfigError(
            f"{what} is not of the kind {kind.__name__}: it lacks {', '.join(missing)}; "
            "give a class of that kind, or a function that is annotated to return one"
        )


def target_of(node: Any, *, where: str, plugins: Sequence[str] = ()) -> Callable[..., Any] | None:
    """Return the class or function that a node names, without building it; None for ``{name: none}``.

    Args:
        node: A mapping with ``_target_``.
        where: The key of the node, which error messages name.
        plugins: Modules that ``_target_`` may name in addition to the harness's own and torch's.

    Raises:
        ConfigError: The target is not allowed or does not exist.
    """
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where} is {node!r}; expected a group choice such as {where}=NAME")
    for name in plugins:
        if not _is_module(name):
            raise ConfigError(f"plugins: there is no module '{name}'; give modules of your own that Python can import")
    if node.get(_TARGET):
        return _locate(str(node[_TARGET]), where, (*_PREFIXES, *(f"{name}." for name in plugins)))
    if names_nothing(node):
        return None
    raise ConfigError(f"{where}._target_ is missing: it names the class to build, as in conf/{where}/*.yaml")


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # a missing parent, or no name at all
        return False
    except (Exception, SystemExit) as error:  # the code of a parent package
        raise _failed_import(name, error) from error


def _failed_import(name: str, error: BaseException) -> ConfigError:
    return ConfigError(f"{name}: the module cannot be imported: {described(error)}")


def names_nothing(node: Any) -> bool:
    """Return whether a node is the choice ``none`` of its group."""
    return isinstance(node, Mapping) and not node.get(_TARGET) and node.get("name") == "none"


def _locate(name: str, where: str, prefixes: Sequence[str]) -> Callable[..., Any]:
    if not name.startswith(tuple(prefixes)):
        raise ConfigError(
            f"{where}._target_ is '{name}'; only {', '.join(prefixes)} may be used; name a module of your own with "
            "plugins=[MODULE] (predict: --plugins MODULE)"
        )
    module_name, _, attribute = name.rpartition(".")
    if not name.startswith(("harness.", "torch.")):  # a module of the user may import it too
        _load_own_tasks()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{where}._target_: no module '{error.name}' (from '{name}')") from None
    except (Exception, SystemExit) as error:
        raise _failed_import(module_name, error) from error
    target = getattr(module, attribute, None)
    if not (inspect.isclass(target) or inspect.isfunction(target)):
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
    """Check a plain value against a type hint and return it converted (to a path, a tuple, a dataclass)."""
    import pydantic

    if is_dataclass(hint):
        return instance_of(hint, value, f"{where}.")
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    schema, others = next(filter(is_dataclass, inner), None), {one for one in inner if not is_dataclass(one)}
    if schema is not None and len(inner) - len(others) == 1:  # other combinations are left to pydantic
        if origin in (typing.Union, types.UnionType) and others <= {type(None)} and value is not None:
            return instance_of(schema, value, f"{where}.")
        if origin in (list, tuple, Sequence) and others <= {...} and isinstance(value, list | tuple):
            found = (instance_of(schema, one, f"{where}[{number}].") for number, one in enumerate(value))
            return tuple(found) if origin is tuple else list(found)
    settings = pydantic.ConfigDict(arbitrary_types_allowed=True, strict=False)
    try:
        return pydantic.TypeAdapter(hint, config=settings).validate_python(_unambiguous(value, hint, where))
    except (pydantic.errors.PydanticUserError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{where}: the type {hint} cannot be checked ({reason}); give another type") from None
    except pydantic.ValidationError as error:
        reason = error.errors()[0]["msg"].lower().replace("input should be", "expected")
        reason = re.sub("expected (greater|less)", r"expected a value \1", reason)
        raise ConfigError(f"{where} is {value!r}; {reason}") from None


def _unambiguous(value: Any, hint: Any, where: str) -> Any:
    """Refuse a boolean or a number in quotes where a number is expected; pydantic would convert both."""
    named = _plain_types(hint)
    numeric = {int, float} & named
    if numeric and (isinstance(value, bool) or (isinstance(value, str) and not {str, value} & named)):
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
    """Convert plain values to a dataclass.

    Args:
        schema: The dataclass.
        values: The values by field name.
        where: The key of the values with a final dot, which error messages name; empty for the whole config.

    Raises:
        ConfigError: A key is unknown or missing, or a value is of the wrong type or out of range.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where.rstrip('.') or 'config'} is {values!r}; expected keys and values")
    hints = typing.get_type_hints(schema, include_extras=True)
    known = {one.name for one in fields(schema)}
    for key in values:
        if key not in known:
            offered = [name for name in known if not name.startswith("_")]
            raise ConfigError(f"{where}{key}: there is no such option{nearest(str(key), offered)}")
    required = {one.name for one in fields(schema) if one.default is MISSING and one.default_factory is MISSING}
    for key in sorted(required - set(values)):
        raise ConfigError(f"{where}{key} is missing; add {where}{key}=...")
    return schema(**{key: _checked(value, hints[key], f"{where}{key}") for key, value in values.items()})
