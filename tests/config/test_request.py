"""The words of a command line: each wrong one is one line with its fix, and paths need no quotes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness import cli
from harness.config.compose import compose_values
from harness.config.options import CONF, option_meant
from harness.config.request import read_request
from harness.config.schema import typed
from harness.errors import ConfigError


def error_of(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a wrong command line, and return the only line that it prints."""
    with pytest.raises(SystemExit) as exit_:
        cli.main(words)
    printed = capfd.readouterr()
    assert exit_.value.code == 2, printed.err
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line.removeprefix("error: ")


WRONG = [
    (["task", "ner"], "there is no command 'task'; to set this option, write task=ner"),
    (["seed=1", "task", "ner"], "task: an option needs a value; write task=ner"),
    (["--task", "ner"], "--task: there is no such flag; write task=ner (--help lists all options)"),
    (["--task=ner"], "--task=ner: there is no such flag; write task=ner (--help lists all options)"),
    (["--batch-size", "8"], "--batch-size: there is no such flag; write trainer.batch_size=8 (--help lists all "
     "options)"),
    (["--gpu"], "--gpu: there is no such flag; write device=cuda (--help lists all options)"),
    (["--foo"], "--foo: there is no such flag; write KEY=VALUE (--help lists all options)"),
    (["--config-dir"], "--config-dir needs a value; write --config-dir VALUE"),
    (["--config-dir", "nowhere"], "--config-dir nowhere: there is no such folder"),
    (["-m", "seed=1", "2"], "'2' is not KEY=VALUE; for several values, write -m seed=1,2; for a value with a space, "
     "'seed=1 2'"),
    (["-m", "mixing=top,", "mean"], "'mean' is not KEY=VALUE; for several values, write -m mixing=top,mean; for a "
     "value with a space, 'mixing=top, mean'"),
    (["+seed=1", "seed=1,2", "task=ner", "task=pos"], "task=ner and task=pos: give one of them, or run both with -m "
     "task=ner,pos"),
    (["seed=1,2"], "seed=1,2: add -m to run each value in turn, or write seed=[1,2] for one list"),
    (["mixing=mean,top"], "mixing=mean,top: add -m to run each value in turn"),
    (["results_dir=a,b"], "results_dir=a,b: add -m to run each value in turn; quote a path that has a comma: "
     "'results_dir=\"a,b\"'"),
    (["sweep=a(b"], "sweep=a(b: the value has special characters; write it in quotes: 'sweep=\"a(b\"'"),
    (["-m", "hydra/launcher=ray"], "hydra/launcher=ray: it is not installed; pip install hydra-ray-launcher"),
    (["-m", "hydra/launcher=slurm"], "hydra/launcher=slurm: it is not installed; --info plugins lists what is "
     "installed"),
    (["experiment=table9"], "experiment=table9: there is no such choice; did you mean 'table6'?"),
    (["+task=pos"], "+task: this option exists already; write task=... without the plus"),
    (["task=sst5", "task.head.hidden_dim=3"], "task.head.hidden_dim: there is no such option; did you mean "
     "'task.bcn.hidden_dim'? (--cfg job shows all options)"),
    (["task.hidden_dim=3"], "task.hidden_dim: there is no such option; did you mean 'task.bilstm_crf.hidden_dim'? "
     "(--cfg job shows all options)"),
    (["trainer.lr=-1"], "trainer.lr is -1; expected a value greater than or equal to 0"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_word_is_one_line_with_the_fix(
    words: Sequence[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert error_of(capfd, *words) == message


@pytest.mark.parametrize(
    "name",
    ["a=b.conll", "a(1).conll", "[a].conll", "{a}.conll", "a#1", "l'eau", 'a"b', "a&b", "a,b", "a~b", "Zürich", "日本",
     "two words", "a\\b", "2024", "true", "a\\'b", "a:b", "a%b", "trailing\\"],
)  # fmt: skip
def test_a_path_needs_no_quotes(name: str, tmp_path: Path) -> None:
    """The values reach the typed config as they were written, for a file that exists."""
    file = tmp_path / name
    file.write_text("")
    config = typed(compose_values("config", ["data=files", *(f"data.{s}={file}" for s in ("train", "dev", "test"))]))
    assert (config.data.train, config.data.dev, config.data.test) == (str(file),) * 3


@pytest.mark.parametrize("name", ["a=b", "a(1)", "a#1", "l'eau", "Zürich", "2024", "~/x=y"])
def test_a_folder_that_does_not_exist_yet_needs_no_quotes(name: str) -> None:
    expected = name.replace("~", str(Path.home()))
    assert typed(compose_values("config", [f"results_dir={name}"])).results_dir == expected


def test_a_value_that_is_too_long_for_a_name_is_no_file() -> None:
    with pytest.raises(ConfigError, match=r"encoder\.options="):
        compose_values("config", ["encoder.options=" + "[" * 3000])


def test_quotes_null_interpolations_and_choices_keep_their_meaning(tmp_path: Path) -> None:
    words = ["results_dir='a=b'", "embedding.path=null", "cache_dir=${results_dir}/x", "encoder.options={a:1}"]
    assert read_request(words).overrides == words
    assert read_request(["-m", "data.train=a,b"]).overrides == ["data.train=a,b"]
    assert read_request(["-m", "data.train=a=1,b=2"]).overrides == ["data.train='a=1','b=2'"]


def test_the_home_folder_is_expanded_in_every_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    words = ["results_dir=~/r", "cache_dir=~", "encoder=elmo", "encoder.options=~/o", "encoder.weights=~/w"]
    config = typed(compose_values("config", [*words, "embedding=file", "embedding.path=~/v", "sweep='~x'"]))
    assert (config.results_dir, config.cache_dir, config.sweep) == ("/home/ann/r", "/home/ann", "~x")
    assert (config.encoder["options"], config.encoder["weights"]) == ("/home/ann/o", "/home/ann/w")
    assert config.embedding["path"] == "/home/ann/v"


def test_choices_of_the_user_are_found_named_and_listed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my=conf"
    (folder / "task").mkdir(parents=True)
    (folder / "task" / "vowels.yaml").write_text("# letters that are sung\n_target_: x.Y\nsize: 3\n")
    config_dir = ["--config-dir", str(folder)]
    assert compose_values("config", [*config_dir, "task=vowels"]).task.size == 3
    assert error_of(capfd, *config_dir, "task=vowls").endswith("there is no such choice; did you mean 'vowels'?")
    assert "did you mean 'task.size'?" in error_of(capfd, *config_dir, "task=vowels", "task.sizee=3")
    with pytest.raises(SystemExit):
        cli.main(["--help", *config_dir])
    shown = capfd.readouterr().out
    assert "ner*, pos, snli, squad, " in " ".join(shown.split())
    assert "\n  task=vowels                   letters that are sung\n" in shown


def test_a_choice_with_the_name_of_one_of_the_harness_is_refused(tmp_path: Path) -> None:
    """Hydra would read the harness's own, without a word."""
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "pos.yaml").write_text("_target_: x.Y\n")
    with pytest.raises(
        ConfigError, match=r"task/pos\.yaml: a choice of the harness has this name and would be read inst"
    ):
        compose_values("config", ["--config-dir", str(tmp_path), "task=pos"])


def test_a_folder_of_choices_may_have_a_root_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1\n")
    assert compose_values("config", ["--config-dir", str(tmp_path)]).task.head == "bilstm_crf"


def test_a_damaged_choice_does_not_disturb_messages_about_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "damaged.yaml").write_text("a: b: c\n  - d\n")
    message = error_of(capfd, "--config-dir", str(tmp_path), "task=ner", "task.haed=linear")
    assert "did you mean 'task.head'?" in message


def test_a_command_that_composes_one_config_takes_no_other_flag() -> None:
    with pytest.raises(ConfigError, match="-m: this command takes no flag of Hydra except --config-dir"):
        compose_values("config", ["-m", "seed=1,2"])


def test_the_option_of_the_same_section_comes_first() -> None:
    first, second = {"task.ner.dim", "trainer.lr"}, {"task.bcn.dim", "task.bcn.dropout", "trainer.lr"}
    assert option_meant("task.dim", first, second) == "task.ner.dim"
    assert option_meant("lr", first, second) == "trainer.lr"
    assert option_meant("task.head.dropout", first, second) == "task.bcn.dropout"
    assert option_meant("trainer.lrr", first, second) == "trainer.lr"
    assert option_meant("nothing.like.it", first, second) == ""
    assert CONF.name == "conf"


def test_a_tilde_that_is_not_the_home_folder_is_a_letter_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    expected = {"~/a": "/home/me/a", "~": "/home/me", "~no_such_user/a": "~no_such_user/a", "a~": "a~"}
    for given, meant in expected.items():
        assert typed(compose_values("config", [f"results_dir={given}"])).results_dir == meant
