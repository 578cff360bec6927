"""Every public function with two or more parameters describes each of them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for top in ("harness", "tasks") for path in (ROOT / top).glob("**/*.py"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(nodes: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Yield the public functions, classes and methods of a module, with their qualified names."""
    for node in nodes:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{node.name}.")


def parameters_of(node: Function | ast.ClassDef) -> list[str]:
    """Return the parameters of a function, or of a class's constructor."""
    if isinstance(node, ast.ClassDef):
        constructors = [one for one in node.body if isinstance(one, Function) and one.name == "__init__"]
        return parameters_of(constructors[0]) if constructors else []
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    more = [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    names = [one.arg for one in (*named, *more)]
    return [name for name in names if name not in ("self", "cls") and not name.startswith("_")]


def described(docstring: str) -> set[str]:
    """Return the parameters that the section ``Args`` (of a dataclass: ``Attributes``) describes."""
    sections = re.findall(r"^ *(?:Args|Attributes):\n((?:(?: +.*)?\n?)*)", f"{docstring}\n", re.MULTILINE)
    return {
        name.strip().lstrip("*")
        for section in sections
        for names in re.findall(r"^ +(\*{0,2}\w+(?:, \*{0,2}\w+)*):", section, re.MULTILINE)
        for name in names.split(",")
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_parameter_is_described(path: Path) -> None:
    missing = {}
    for name, node in public(ast.parse(path.read_text(encoding="utf-8")).body):
        parameters = parameters_of(node)
        left = set(parameters) - described(ast.get_docstring(node) or "")
        if len(parameters) >= 2 and left:
            missing[name] = sorted(left)
    assert missing == {}
