"""The typed config: correct values are accepted, and an error names the key of a wrong one."""

from dataclasses import fields
from pathlib import Path

import pytest

from harness.config.schema import DataConfig, HarnessConfig, mixing_of, plain
from harness.errors import ConfigError
from tests.support.runs import config_of


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


def test_how_files_are_read_is_in_the_identity(tmp_path: Path) -> None:
    """A trained run reads new files in the same way, so two ways are two runs, although the tokens may be equal."""
    files = ("data=files", "data.train=a", "data.dev=b", "data.test=c")
    base = config_of(tmp_path, *files).determining()
    for same in ("data.tokenize=false", "data.tokenize=whitespace"):
        assert config_of(tmp_path, *files, same).determining() == base
    for other in ("data.columns=[2,3]", "data.tokenize=true", "data.tokenize=characters"):
        assert config_of(tmp_path, *files, other).determining() != base
    english = [config_of(tmp_path, *files, f"data.tokenize={one}").determining() for one in ("true", "english")]
    assert english[0] == english[1]


def test_every_option_is_known_to_determine_the_result_or_not() -> None:
    """An option that is added must be put into one of the two lists; in the first, ``determining_options`` reads it."""
    determine = {"task", "data", "encoder", "embedding", "mixing", "trainer", "cache", "cache_dtype", "seed", "device"}
    determine |= {"code_length"}
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
