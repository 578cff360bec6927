"""Values from the environment are used, but never written; the tests of runs look at the files themselves."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness import cli
from harness.commands.pretrain import _typed
from harness.config.compose import compose_values
from harness.config.schema import plain
from harness.config.secrets import values_and_texts, with_texts
from tests.support.sweeps import QUICK, records_in, sweep


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


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_file_of_a_run_or_a_sweep_holds_a_secret_of_its_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setenv("TOKEN", "RMSprop")
    given = "trainer.optimizer=${oc.env:TOKEN}"
    paths = [f"results_dir={tmp_path}/results", f"cache_dir={tmp_path}/cache"]
    if jobs == 1:
        with pytest.raises(SystemExit) as exit_:
            cli.main([*QUICK, *paths, given])
        assert not exit_.value.code
    else:
        assert sweep(tmp_path, "seed=1,2", given) == 0
    records = records_in(tmp_path)
    assert len(records) == jobs
    assert all("TOKEN" in " ".join(record.environment["overrides"]) for record in records)
    assert all(record.config["trainer"]["optimizer"] == "${oc.env:TOKEN}" for record in records)
    files = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert [path for path in files if b"RMSprop" in path.read_bytes()] == []
