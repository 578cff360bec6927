"""``build``: correct values are accepted, and nothing is called that does not make an object of the kind wanted."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypedDict

import pytest
import torch

from harness import cli
from harness.config.compose import compose_values
from harness.config.instantiate import build
from harness.errors import ConfigError
from harness.features.static_vectors import StaticVectors
from harness.protocols import Encoder, Task, Tracker
from harness.tracking.wandb_tracker import NoTracker

HERE = ("tests",)


@dataclass(frozen=True, kw_only=True)
class Options:
    size: int = 3
    rate: float = 0.5


class Part:
    def __init__(
        self,
        *,
        count: int,
        path: Path = Path(),
        kind: Literal["a", "b"] = "a",
        pair: tuple[int, int] = (1, 2),
        options: Options = Options(),
        maybe: Options | None = None,
        several: list[Options] = [],  # noqa: B006
        fixed: tuple[Options, ...] = (),
        device: str = "cpu",
    ) -> None:
        self.maybe, self.several, self.fixed = maybe, several, fixed
        self.count, self.path, self.kind, self.pair = count, path, kind, pair
        self.options, self.device = options, device


def make(plugins: tuple[str, ...] = HERE, **values: Any) -> Part:
    node = {"_target_": "tests.config.test_instantiate.Part", **values}
    part: Part = build(node, kind=Part, where="part", plugins=plugins)
    return part


def test_values_are_converted_to_the_types_of_the_signature() -> None:
    part = make(count=2, path="x/y", pair=[3, 4], options={"size": 9})
    assert part.path == Path("x/y")
    assert part.pair == (3, 4)
    assert part.options == Options(size=9)


def test_the_choice_none_is_built_as_none() -> None:
    assert build({"name": "none"}, kind=Part, where="part") is None


def test_a_value_of_the_node_replaces_the_one_that_the_engine_offers() -> None:
    node = {"_target_": "tests.config.test_instantiate.Part", "count": 1}
    assert build(node, kind=Part, where="part", plugins=HERE, supplied={"device": "cuda", "other": 1}).device == "cuda"
    assert (
        build({**node, "device": "cpu"}, kind=Part, where="part", plugins=HERE, supplied={"device": "cuda"}).device
        == "cpu"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "part.count: tests.config.test_instantiate.Part needs a value"),
        (
            {"count": 1, "pth": "x"},
            ".Part has no such option; did you mean 'path'?",
        ),
        ({"count": "1"}, "part.count is '1'; expected int"),
        ({"count": True}, "part.count is True; expected int"),
        ({"count": 1.5}, "part.count is 1.5; expected a valid integer"),
        ({"count": None}, "part.count is None"),
        ({"count": 1, "kind": "c"}, "part.kind is 'c'; expected 'a' or 'b'"),
        ({"count": 1, "pair": [1]}, "part.pair is [1]"),
        ({"count": 1, "options": {"sze": 1}}, "part.options.sze: there is no such option; did you mean 'size'?"),
        ({"count": 1, "options": {"size": "big"}}, "part.options.size is 'big'; expected int"),
        ({"count": 1, "options": 3}, "part.options is 3; expected keys and values"),
        ({"count": 1, "maybe": {"sze": 1}}, "part.maybe.sze: there is no such option; did you mean 'size'?"),
        ({"count": 1, "maybe": {"size": "9"}}, "part.maybe.size is '9'; expected int"),
        ({"count": 1, "maybe": 3}, "part.maybe is 3; expected "),
        ({"count": 1, "several": [{"size": 1}, {"sze": 1}]}, "part.several[1].sze: there is no such option; did you"),
        ({"count": 1, "fixed": [{"size": True}]}, "part.fixed[0].size is True; expected int"),
    ],
)
def test_a_wrong_value_names_its_key(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(**values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("tests.config.test_instantiate.Part", "only harness., tasks., torch.nn., torch.optim. may be used"),
        ("os.system", "may be used"),
        ("torch.hub.load", "may be used"),
        (
            "harness.features.layer_mix.ScalrMix",
            "harness.features.layer_mix has no 'ScalrMix'; did you mean 'ScalarMix'?",
        ),
        ("harness.nothing.X", "no module 'harness.nothing'"),
    ],
)
def test_only_allowed_targets_are_built(target: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"_target_": target}, kind=Part, where="part")
    assert message in str(caught.value)


def test_a_foreign_module_named_tasks_is_reported_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ModuleType("tasks")
    foreign.__file__ = str(tmp_path / "tasks.py")
    monkeypatch.setitem(sys.modules, "tasks", foreign)
    with pytest.raises(ConfigError) as caught:
        build({"_target_": "tasks.ner.task.NamedEntityRecognition"}, kind=Task, where="task")
    assert f"{tmp_path}/tasks.py" in str(caught.value)
    assert "rename that module" in str(caught.value)
    assert "\n" not in str(caught.value)


CALLED: list[str] = []


def no_return_type():  # type: ignore[no-untyped-def]
    CALLED.append("no_return_type")
    return NoTracker()


def of_another_kind() -> str:
    CALLED.append("of_another_kind")
    return ""


def tracker() -> Tracker:
    return NoTracker()


def false_tracker() -> NoTracker:
    return 1  # type: ignore[return-value]


class TrackerWithoutFinish:
    def __init__(self) -> None:
        CALLED.append("TrackerWithoutFinish")

    def log(self, values: Any, *, step: int) -> None: ...


class EncoderWithoutName:
    """All its methods are right, but its constructor does not set the other members."""

    def encode(self, sentences: Any) -> Any: ...


instance: Callable[[], NoTracker] = NoTracker()  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("torch.utils.collect_env.run", Task),
        ("torch.nn.Linear", Task),
        ("torch.nn.init.xavier_uniform_", Task),
        ("torch.nn.functional.linear", Encoder),
        ("torch.optim.Adam", torch.nn.Module),
        ("harness.utils.files.write_text", Task),
        ("harness.utils.files.Path", Task),
        ("harness.__main__.main", Task),
        ("harness.cli.main", Tracker),
        ("harness.encoders.elmo.load_elmo", Task),
        ("harness.utils.download.sha256_of", Encoder),
        ("harness.utils.download.FileLock", Task),
        ("torch.nn.functional.conv1d", Encoder),
        ("torch.nn.functional.linear_cross_entropy", Encoder),
        ("harness.features.layer_mix.ScalarMix", StaticVectors),
        ("harness.features.layer_mix.ScalarMix", torch.optim.Optimizer),
        ("tasks.ner.task.NamedEntityRecognition", Encoder),
        ("os.system", Task),
        ("subprocess.Popen", Task),
        ("subprocess.check_output", Encoder),
        ("tests.config.test_instantiate.no_return_type", Tracker),
        ("tests.config.test_instantiate.of_another_kind", Tracker),
        ("tests.config.test_instantiate.TrackerWithoutFinish", Tracker),
        ("tests.config.test_instantiate.instance", Tracker),
        ("tests.config.test_instantiate.HERE", Tracker),
    ],
)
def test_what_makes_another_kind_is_never_called(target: str, kind: type) -> None:
    """Not even if a plug-in's module is as powerful as ``os``."""
    with pytest.raises(
        ConfigError, match=rf"is not of the kind {kind.__name__}: it lacks|has no '|type hints cannot"
    ) as caught:
        build({"_target_": target}, kind=kind, where="part", plugins=["os", "subprocess", "torch", "tests"])
    assert target.rpartition(".")[2] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert CALLED == []


def test_what_was_built_is_checked() -> None:
    for target, kind, lacking in (("false_tracker", Tracker, "log"), ("EncoderWithoutName", Encoder, "name")):
        with pytest.raises(ConfigError, match=f"is not of the kind {kind.__name__}: it lacks {lacking}"):
            build({"_target_": f"tests.config.test_instantiate.{target}"}, kind=kind, where="part", plugins=HERE)


def test_a_function_with_a_return_type_of_the_kind_is_called() -> None:
    node = {"_target_": "tests.config.test_instantiate.tracker"}
    assert isinstance(build(node, kind=Tracker, where="tracking", plugins=HERE), NoTracker)


def test_options_in_unions_and_lists_are_typed() -> None:
    made = make(count=1, maybe={"size": 4}, several=[{"size": 5}, {}], fixed=[{"rate": 1}])
    assert made.maybe == Options(size=4)
    assert made.several == [Options(size=5), Options()]
    assert made.fixed == (Options(rate=1.0),)
    assert make(count=1, maybe=None).maybe is None


@dataclass(frozen=True, kw_only=True)
class Others:
    width: int


class Several:
    def __init__(
        self, *, either: Options | Others | None = None, pair: tuple[int, Others] | None = None, any_: Any = None
    ) -> None:
        self.either, self.pair, self.any = either, pair, any_


def test_other_combinations_of_options_are_accepted() -> None:
    node = {"_target_": f"{__name__}.Several", "either": {"width": 3}, "pair": [3, {"width": 4}], "any_": {"x": 1}}
    made = build(node, kind=Several, where="several", plugins=HERE)
    assert (made.either, made.pair, made.any) == (Others(width=3), (3, Others(width=4)), {"x": 1})


class Named(TypedDict):
    size: int


class Odd:
    def __init__(self, *, call: Callable[[int], int] | None = None, named: Named | None = None) -> None:
        pass


@pytest.mark.parametrize("values", [{"call": 3}, {"named": {"size": "x"}}])
def test_a_type_that_cannot_be_checked_is_one_line(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^odd\.\w+"):
        build({"_target_": f"{__name__}.Odd", **values}, kind=Odd, where="odd", plugins=HERE)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(:\n", "SyntaxError: "),
        ("import nothing_at_all\n", "no module 'nothing_at_all'"),
        ("x = undefined\n", "NameError: name 'undefined' is not defined, at {file}:1, in <module>"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3, at {file}:2, in <module>"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "broken_plugin.py"
    file.write_text(code)
    with pytest.raises(ConfigError) as caught:
        build({"_target_": "broken_plugin.Task"}, kind=Task, where="task", plugins=["broken_plugin"])
    assert message.format(file=file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "tests.", "my_tsk", "tests.nothing", "nothing.at.all"])
def test_a_plugin_that_is_no_module_is_refused_even_if_it_is_not_needed(name: str) -> None:
    for node in ({"name": "none"}, {"_target_": "os.system"}, {"_target_": "tasks.ner.task.NamedEntityRecognition"}):
        with pytest.raises(ConfigError, match=rf"^plugins: there is no module '{name}'"):
            build(node, kind=Task, where="task", plugins=["tests", name])


@pytest.mark.parametrize("override", ["encoder=[1,2]", "mixing=[top]", "task=[ner,pos]", "+setup=[]"])
def test_a_list_in_place_of_a_choice_is_refused(override: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="a group has one choice"):
        compose_values("config", [override])
    with pytest.raises(SystemExit) as exit_:
        cli.main([override])
    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {override}: a group has one choice")


@pytest.mark.parametrize("node", [[1, 2], "elmo", 5, None, True])
def test_a_value_in_place_of_a_node_is_refused(node: Any) -> None:
    with pytest.raises(ConfigError, match=r"^encoder is .*; expected a group choice such as encoder=NAME$"):
        build(node, kind=Encoder, where="encoder")
