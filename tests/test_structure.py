"""Rules of the source code: imports go one way, the engine knows no task, and files are small."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from harness.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]

# The lowest layer comes first. A module imports only from its own layer or a lower one.
LAYERS = [
    {"types", "errors"},
    {"protocols", "optional_protocols"},
    {"utils"},
    {"config"},
    {"nn", "encoders"},
    {"features"},
    {"training", "tracking"},
    {"runs", "pretrain"},
    {"analysis", "prediction"},
    {"sklearn"},
    {"sweep"},
    {"commands"},
    {"cli"},
    {"__main__"},
]


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def layer_of(module: str) -> int:
    (layer,) = [i for i, names in enumerate(LAYERS) if module in names]
    return layer


def test_imports_go_one_way() -> None:
    wrong = []
    for path in sorted((ROOT / "harness").glob("**/*.py")):
        module = path.relative_to(ROOT / "harness").parts[0].removesuffix(".py")
        if module == "__init__":
            continue
        for name in imports_of(path):
            if name.startswith("harness."):
                imported = name.split(".")[1]
                if layer_of(imported) > layer_of(module):
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_no_imports_form_a_cycle() -> None:
    """A reader of a file then needs to know only the files below it."""
    files = {path: module_of(path) for top in ("harness", "tasks") for path in (ROOT / top).glob("**/*.py")}
    modules = set(files.values()) - {"harness"}  # the public API re-exports from anywhere, and no file imports it
    graph = {
        module: {name for found in names_of(path) for name in (found, found.rpartition(".")[0]) if name in modules}
        for path, module in files.items()
        if module in modules
    }
    for module in graph:  # a package that imports one of its own modules is not a cycle
        graph[module].discard(module)
    list(TopologicalSorter(graph).static_order())  # raises CycleError, naming the cycle


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def names_of(path: Path) -> set[str]:
    """Return the modules that a file imports: for ``from a import b`` both ``a`` and ``a.b``."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_the_engine_imports_no_task() -> None:
    for path in (ROOT / "harness").glob("**/*.py"):
        assert not [name for name in imports_of(path) if name.split(".")[0] == "tasks"], path


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    """The help and the error for a wrong request then appear without delay."""
    heavy = {"torch", "numpy", "datasets", "wandb", "seqeval", "sklearn", "scipy", "pydantic"}
    for name in ("cli", "config/help", "errors", "__main__", "utils/console", "config/compose"):
        tree = ast.parse((ROOT / "harness" / f"{name}.py").read_text(encoding="utf-8"))
        top = {
            alias.split(".")[0]
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
        }
        assert not top & heavy, name


def test_files_and_functions_are_small() -> None:
    for folder, most in (("harness", 300), ("tasks", 300), ("tests", 400)):
        for path in (ROOT / folder).glob("**/*.py"):
            source = path.read_text(encoding="utf-8")
            assert source.count("\n") <= most, path
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.FunctionDef) and folder != "tests":
                    assert (node.end_lineno or 0) - node.lineno <= 60, f"{path}: {node.name}"


def test_the_ground_layer_of_the_engine_is_small() -> None:
    assert len([path for path in (ROOT / "harness").iterdir() if path.is_file()]) <= 8


def test_each_command_has_its_own_file() -> None:
    files = {path.stem for path in (ROOT / "harness" / "commands").glob("*.py")} - {"__init__"}
    assert files == {name.replace("-", "_") for name in COMMANDS}
