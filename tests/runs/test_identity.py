"""The identity of a run: it covers what determines the result, and nothing else."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import yaml

from harness.config.compose import CONF
from harness.config.instantiate import target_of
from harness.config.schema import DataConfig, HarnessConfig, MixingConfig, TrainerConfig
from harness.features import layer_mix
from harness.runs.identity import code, defaults, determining
from harness.runs.plan import Plan, SharedObjects, prepare
from harness.runs.record import SCHEMA_VERSION
from tasks.ner.task import NamedEntityRecognition
from tests.support.runs import SMALL, config_of

DEFAULTS = Path(__file__).with_name("frozen_defaults.yaml")
SHARED = SharedObjects()


def plan_of(tmp_path: Path, *overrides: str) -> Plan:
    return prepare(config_of(tmp_path, *SMALL, *overrides), SHARED)


def test_what_determines_nothing_changes_no_identity(tmp_path: Path) -> None:
    base = plan_of(tmp_path)
    for same in ("threads=2", "threads=null", "sweep=x", "overwrite=true", "mixing.name=other", "task.head=bilstm_crf"):
        other = plan_of(tmp_path, same)
        assert (other.identity, other.setting) == (base.identity, base.setting), same
    for different in ("trainer.lr=0.5", "mixing.lambda_=1", "mixing.placement=both", "cache=none", "mixing=mean"):
        other = plan_of(tmp_path, different)
        assert other.identity != base.identity, different
        assert other.setting != base.setting, different
    seed = plan_of(tmp_path, "seed=2")
    assert seed.identity != base.identity
    assert seed.setting == base.setting


def test_the_record_lists_what_the_identity_covers(tmp_path: Path) -> None:
    found = plan_of(tmp_path, "mixing.placement=both").determining
    digests = {key: found[key] for key in found if "sha256" in key or "fingerprint" in key}
    assert len(digests) == 5
    assert {key: value for key, value in found.items() if key not in digests} == {
        "schema": SCHEMA_VERSION,
        "task.name": "ner",
        "task.version": 1,
        "task.code": "NamedEntityRecognition",
        "task.bilstm_crf.hidden_dim": 16,
        "task.bilstm_crf.num_layers": 1,
        "task.bilstm_crf.char_filters": 8,
        "mixing.code": "ScalarMix",
        "mixing.placement": "both",
        "trainer.lr": 0.003,
        "trainer.max_epochs": 3,
        "data.fraction": 0.1,
        "device": "cpu",
        "seed": 1,
    }


def test_without_an_encoder_the_mix_and_the_store_determine_nothing(tmp_path: Path) -> None:
    static = ("tracking=none", "encoder=none", "data.fraction=0.1")
    base = prepare(config_of(tmp_path, *static), SHARED)
    other = prepare(config_of(tmp_path, *static, "mixing=top", "cache=none", "cache_dtype=float32"), SHARED)
    assert other.identity == base.identity
    assert not [key for key in base.determining if key.startswith(("mixing", "cache"))]


def test_a_secret_is_in_the_identity_but_not_in_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE", "0.125")
    hidden, open_ = plan_of(tmp_path, 'trainer.lr="${oc.decode:${oc.env:RATE}}"'), plan_of(tmp_path, "trainer.lr=0.125")
    assert hidden.identity == open_.identity
    assert hidden.determining["trainer.lr"] == "${oc.env:RATE}"
    monkeypatch.setenv("RATE", "0.25")
    assert plan_of(tmp_path, 'trainer.lr="${oc.decode:${oc.env:RATE}}"').identity != open_.identity


@dataclass(frozen=True, kw_only=True)
class Sizes:
    cells: int = 8
    rate: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Before:
    name: ClassVar[str] = "made_up"
    version: ClassVar[int] = 1
    sizes: Sizes = field(default_factory=lambda: Sizes(cells=4))
    folder: Path = Path("x")


@dataclass(frozen=True, kw_only=True)
class MoreSizes(Sizes):
    new: int = 7


@dataclass(frozen=True, kw_only=True)
class After(Before):
    sizes: MoreSizes = field(default_factory=lambda: MoreSizes(cells=4))
    added: bool = False


def options_of(target: Any, **options: Any) -> dict[str, Any]:
    """Return what the options of a task add to the identity."""
    found = determining({"task": options}, task=target, targets={"task": target}, inputs={})
    return {
        key: value for key, value in found.items() if key not in ("schema", "task.name", "task.version", "task.code")
    }


def test_an_option_that_is_added_later_changes_no_identity() -> None:
    for options in ({}, {"sizes": {"cells": 9}}, {"sizes": {}}, {"sizes": {"rate": 1.0}}):
        assert options_of(After, **options) == options_of(Before, **options)
    assert options_of(After, added=False, sizes={"cells": 4, "new": 7}) == {}
    assert options_of(After, added=True, sizes={"cells": 4, "new": 8}) == {"task.added": True, "task.sizes.new": 8}


def test_values_are_compared_as_the_constructor_gets_them() -> None:
    assert options_of(Before) == options_of(Before, sizes={"cells": 4, "rate": 0.5}, folder="x") == {}
    assert options_of(Before, sizes={}) == {"task.sizes.cells": 8}  # the class's default, not that of the task
    assert options_of(Before, sizes={"cells": 4, "rate": 1}) == options_of(Before, sizes={"cells": 4, "rate": 1.0})


def module_of(name: str, path: Path, text: str) -> ModuleType:
    path.write_text(text)
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


def test_a_class_of_the_harness_may_move_and_foreign_code_is_known_by_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert code(NamedEntityRecognition) == "NamedEntityRecognition"
    for name in ("mine", "copied", "edited"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    text = "class NamedEntityRecognition:\n    size = 1\n"
    mine = module_of("mine", tmp_path / "mine.py", text).NamedEntityRecognition
    copied = module_of("copied", tmp_path / "copied.py", text).NamedEntityRecognition
    edited = module_of("edited", tmp_path / "edited.py", text.replace("1", "2")).NamedEntityRecognition
    assert code(mine) == code(copied)
    assert len({code(mine), code(edited), code(NamedEntityRecognition)}) == 3


def known_classes() -> dict[str, Any]:
    """Return the classes whose options an identity covers: the engine's configs, and all tasks and mixes."""
    found: dict[str, Any] = {c.__name__: c for c in (HarnessConfig, DataConfig, TrainerConfig, MixingConfig)}
    for path in sorted(CONF.glob("task/*.yaml")):
        target = target_of(yaml.safe_load(path.read_text())["task"], where="task")
        assert target is not None
        assert target.__qualname__ not in found, "two tasks with one class name: the identity cannot tell them apart"
        found[target.__qualname__] = target
    return found | {
        name: made for name, made in vars(layer_mix).items() if callable(made) and name.lower().endswith("mix")
    }


def options_left_out() -> dict[str, Any]:
    """Return the defaults that identities leave out, by class and option."""
    found = {name: simple(defaults(made)) for name, made in known_classes().items()}
    determining_ones = {
        "HarnessConfig": ("cache", "cache_dtype", "code_length"),
        "DataConfig": ("fraction", "columns", "tokenize"),
    }
    return found | {name: {key: found[name][key] for key in keys} for name, keys in determining_ones.items()}


def simple(value: Any) -> Any:
    """Return a default as YAML can hold it."""
    if isinstance(value, Mapping):
        return {key: simple(inner) for key, inner in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return simple({name: getattr(value, name) for name in value.__dataclass_fields__})
    return [simple(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def test_no_default_changes_under_the_same_identity() -> None:
    frozen = yaml.safe_load(DEFAULTS.read_text())
    assert frozen.pop("schema_version") == SCHEMA_VERSION
    found = options_left_out()
    versions = {name: made.version for name, made in known_classes().items() if hasattr(made, "version")}
    assert versions == frozen.pop("task_versions")
    changed = [
        f"{name}.{option}: {value!r} is now {found.get(name, {}).get(option)!r}"
        for name, options in frozen.items()
        for option, value in options.items()
        if found.get(name, {}).get(option) != value
    ]
    assert not changed, (
        f"{changed}: finished runs left these defaults out of their identity. Keep them; or raise SCHEMA_VERSION (for "
        f"the engine and mixes) or the task's version, so that no new run is taken for an old one, and update "
        f"{DEFAULTS.name}"
    )
    added = {name: sorted(options.keys() - frozen.get(name, {}).keys()) for name, options in found.items()}
    assert not any(added.values()), f"{added}: add these options to {DEFAULTS.name}"


def test_code_in_a_package_is_known_by_all_files_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task is one file or folder, and an edit of its head is an edit of the task."""
    monkeypatch.setitem(sys.modules, "mine", ModuleType("mine"))
    package, head = tmp_path / "mine", tmp_path / "mine" / "head.py"
    package.mkdir()
    (package / "__init__.py").touch()
    seen = []
    for size in (1, 1, 2):
        head.write_text(f"SIZE = {size}\n")
        seen.append(code(module_of("mine", package / "task.py", "class Task:\n    pass\n").Task))
    assert seen[0] == seen[1] != seen[2]
    (package / ".#task.py").symlink_to("nowhere")  # an editor that has the file open
    (package / "folder.py").mkdir()
    assert code(module_of("mine", package / "task.py", "class Task:\n    pass\n").Task) == seen[2]
