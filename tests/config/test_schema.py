"""The typed config and ``build``: correct values are accepted, and an error names the key of a wrong one."""

import sys
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from harness.config.instantiate import build
from harness.config.schema import DataConfig, HarnessConfig, mixing_of, plain
from harness.errors import ConfigError
from tests.support.runs import config_of

HERE = ("tests.",)


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
        inner: Any = None,
        device: str = "cpu",
    ) -> None:
        self.count, self.path, self.kind, self.pair = count, path, kind, pair
        self.options, self.inner, self.device = options, inner, device


def make(plugins: tuple[str, ...] = HERE, **values: Any) -> Part:
    part: Part = build({"_target_": "tests.config.test_schema.Part", **values}, where="part", plugins=plugins)
    return part


def test_values_are_converted_to_the_types_of_the_signature() -> None:
    part = make(count=2, path="x/y", pair=[3, 4], options={"size": 9})
    assert part.path == Path("x/y")
    assert part.pair == (3, 4)
    assert part.options == Options(size=9)


def test_a_node_can_be_an_argument_of_a_node() -> None:
    part = make(count=1, inner={"_target_": "tests.config.test_schema.Part", "count": 5})
    assert part.inner.count == 5


def test_the_choice_none_is_built_as_none() -> None:
    assert build({"name": "none"}, where="part") is None


def test_a_value_of_the_node_replaces_the_one_that_the_engine_offers() -> None:
    node = {"_target_": "tests.config.test_schema.Part", "count": 1}
    assert build(node, where="part", plugins=HERE, supplied={"device": "cuda", "other": 1}).device == "cuda"
    assert build({**node, "device": "cpu"}, where="part", plugins=HERE, supplied={"device": "cuda"}).device == "cpu"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "part.count: tests.config.test_schema.Part needs a value"),
        ({"count": 1, "pth": "x"}, "part.pth: tests.config.test_schema.Part has no such option; did you mean 'path'?"),
        ({"count": "1"}, "part.count is '1'; expected int"),
        ({"count": True}, "part.count is True; expected int"),
        ({"count": 1.5}, "part.count is 1.5; expected a valid integer"),
        ({"count": None}, "part.count is None"),
        ({"count": 1, "kind": "c"}, "part.kind is 'c'; expected 'a' or 'b'"),
        ({"count": 1, "pair": [1]}, "part.pair is [1]"),
        ({"count": 1, "options": {"sze": 1}}, "part.options.sze: there is no such option; did you mean 'size'?"),
        ({"count": 1, "options": {"size": "big"}}, "part.options.size is 'big'; expected int"),
        ({"count": 1, "options": 3}, "part.options is 3; expected keys and values"),
        ({"count": 1, "inner": {"_target_": "tests.config.test_schema.Part"}}, "part.inner.count: "),
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
        ("tests.config.test_schema.Part", "only harness., tasks., torch.nn., torch.optim. may be used"),
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
        build({"_target_": target}, where="part")
    assert message in str(caught.value)


def test_a_foreign_module_named_tasks_is_reported_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ModuleType("tasks")
    foreign.__file__ = str(tmp_path / "tasks.py")
    monkeypatch.setitem(sys.modules, "tasks", foreign)
    with pytest.raises(ConfigError) as caught:
        build({"_target_": "tasks.ner.task.NamedEntityRecognition"}, where="task")
    assert f"{tmp_path}/tasks.py" in str(caught.value)
    assert "rename that module" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_group_mixing_is_divided_between_the_engine_and_the_mix() -> None:
    mixing = mixing_of({"_target_": "x.Y", "name": "mine", "placement": "both", "dropout": 0.1, "lambda_": 1.0})
    assert (mixing.name, mixing.placement, mixing.dropout) == ("mine", "both", 0.1)
    assert mixing.mix == {"_target_": "x.Y", "lambda_": 1.0}
    with pytest.raises(ConfigError, match=r"mixing\.dropout is 1\.0; expected a value less than 1"):
        mixing_of({"name": "x", "dropout": 1.0})


def test_the_identity_holds_exactly_what_determines_the_result(tmp_path: Path) -> None:
    base = config_of(tmp_path).determining()
    for same in (
        "cache_dir=/x",
        "overwrite=true",
        "tracking=none",
        "dry_run=true",
        "device=cpu",
        "threads=1",
        "sweep=a",
        "mixing.name=a",
    ):
        assert config_of(tmp_path, same).determining() == base, same
    different = ("seed=2", "trainer.lr=0.1", "task.bilstm_crf.dropout=0.1", "mixing.lambda_=1", "mixing.placement=both")
    for other in (*different, "data.fraction=0.5", "cache_dtype=float32", "cache=none"):
        assert config_of(tmp_path, other).determining() != base, other


def test_every_option_is_known_to_determine_the_result_or_not() -> None:
    """An option that is added must be put into one of the two lists; in the first, ``determining_options`` reads it."""
    determine = {"task", "data", "encoder", "embedding", "mixing", "trainer", "cache", "cache_dtype", "seed", "device"}
    do_not = {"tracking", "vectors", "cache_dir", "results_dir", "overwrite", "dry_run", "shard", "sweep", "threads"}
    assert {one.name for one in fields(HarnessConfig)} == determine | do_not | {"plugins", "_texts"}


def test_a_value_from_the_environment_is_used_but_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    monkeypatch.setenv("RATE", "0.25")
    more = ('trainer.lr="${oc.decode:${oc.env:RATE}}"', "embedding.name=${tracking.entity}", "vectors=contextual")
    config = config_of(tmp_path, "tracking.entity=${oc.env:TOKEN}-a", "tracking.group=${oc.env:NO,null}", *more)
    assert (config.tracking["entity"], config.tracking["group"], config.trainer.lr) == ("s3cret-a", None, 0.25)
    shown = plain(config)
    assert "s3cret" not in str(shown)
    assert shown["tracking"]["entity"] == "${oc.env:TOKEN}-a"
    assert shown["trainer"]["lr"] == "${oc.env:RATE}"
    assert shown["trainer"]["max_epochs"] == 8
    assert config_of(tmp_path, "tracking.entity=${oc.env:TOKEN}").tracking["entity"] == "s3cret"
    with pytest.raises(ConfigError, match="MISSING"):
        config_of(tmp_path, "tracking.entity=${oc.env:MISSING}")


def test_an_optimizer_has_no_option_that_only_the_config_knows(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.optimizer_options\._target_: there is no such option"):
        config_of(tmp_path, "+trainer.optimizer_options._target_=torch.optim.SGD")


def test_the_defaults_of_the_yaml_files_equal_those_of_the_schema(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    assert config.data == DataConfig()
    assert config.trainer.optimizer == "Adam"
    assert plain(config)["seed"] == 1


def test_setups_and_presets_can_be_composed(tmp_path: Path) -> None:
    files = ["data=files", "data.train=a", "data.dev=b", "data.test=c"]
    paper = config_of(tmp_path, "setup=paper", *files)
    assert (paper.encoder["name"], paper.embedding["name"]) == ("elmo_original", "glove_840b_300d")
    ner = config_of(tmp_path, "experiment=paper/ner", *files)
    assert ner.mixing["lambda_"] == 0.1
    assert ner.embedding["trainable"] is True
    assert (ner.trainer.batch_size, ner.trainer.max_epochs, ner.trainer.patience, ner.trainer.lr) == (64, 75, 25, 0.001)
    assert config_of(tmp_path, "experiment=paper/ner", "encoder=none", *files).encoder == {"name": "none"}


def test_the_option_vectors_leaves_out_the_encoder_or_the_static_vectors(tmp_path: Path) -> None:
    both = config_of(tmp_path)
    static, contextual = config_of(tmp_path, "vectors=static"), config_of(tmp_path, "vectors=contextual")
    assert (static.encoder, static.embedding) == ({"name": "none"}, both.embedding)
    assert (contextual.encoder, contextual.embedding) == (both.encoder, {"name": "none"})
    assert static.determining() == config_of(tmp_path, "encoder=none").determining()
    assert static.determining() == config_of(tmp_path, "vectors=static", "mixing=top").determining()
    assert "mixing" in contextual.determining()
