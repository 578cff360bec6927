"""Values from the environment are used, but never written; the tests of runs look at the files themselves."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.commands.pretrain import _typed
from harness.config.compose import compose_values
from harness.config.schema import plain
from harness.config.secrets import values_and_texts, with_texts


def resolve(values: dict[str, Any]) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.create(values), resolve=True)  # type: ignore[return-value]


def test_only_values_from_the_environment_have_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "1")
    node = {"a": {"b": "x${oc.env:A}", "c": 2}, "d": "${a.c}", "e": ["${oc.env:A}", "${oc.env:NO,y}"], "f": "${a}"}
    values, texts = values_and_texts(lambda: resolve(node))
    assert values == {"a": {"b": "x1", "c": 2}, "d": 2, "e": ["1", "y"], "f": {"b": "x1", "c": 2}}
    assert set(texts) == {("a", "b"), ("e",), ("f", "b")}
    del values["f"]
    assert with_texts(values, texts) == {
        "a": {"b": "x${oc.env:A}", "c": 2},
        "d": 2,
        "e": ["${oc.env:A}", "${oc.env:NO,y}"],
    }
    assert values_and_texts(lambda: resolve({"a": 1}))[1] == {}
    assert resolve(node)["d"] == 2  # the resolver is Hydra's own again
    assert resolve({"a": "${oc.env:A}"}) == {"a": "1"}


def test_a_training_of_an_encoder_writes_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    config = _typed(compose_values("pretrain", ["out=x", "data.train=[a]", "+tracking.entity=${oc.env:TOKEN}"]))
    assert config.tracking["entity"] == "s3cret"
    assert plain(config)["tracking"]["entity"] == "${oc.env:TOKEN}"
    assert "s3cret" not in str(plain(config))
