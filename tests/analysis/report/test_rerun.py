"""The printed command repeats a run to the bit."""

import json
import shlex
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.commands.report import main
from harness.runs.record import RUN_FILES, RunRecord, read_record
from tests.support.runs import SMALL, without_times
from tests.support.sweeps import not_given


def command_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["--rerun", str(folder)]) == 0
    return capsys.readouterr().out


def check_names(record: RunRecord) -> None:
    """Check that a record names code, versions, hardware, command, data and weights."""
    assert {"revision", "dirty", "python", "packages", "processor", "command", "overrides"} <= set(record.environment)
    for digest in (*record.data["sha256"].values(), record.encoder["fingerprint"], record.embedding["fingerprint"]):
        assert len(bytes.fromhex(digest)) == 32


@pytest.mark.slow
def test_a_job_of_a_sweep_is_repeated_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The threads are left to torch, and the printed command asks for as many: the identity does not cover them."""
    monkeypatch.chdir(tmp_path)
    paths = ["results_dir=first results", 'cache_dir="a cache\'s place"']
    arguments = ["trainer.max_epochs=1", "embedding=static_mini", *paths, "seed=3,4"]
    small = [override for override in not_given(SMALL, arguments) if not override.startswith("threads")]
    with pytest.raises(SystemExit) as exit_:
        cli.main(["-m", *small, *arguments, "hydra/launcher=basic"])
    assert exit_.value.code == 0
    (first,) = (tmp_path / "first results" / "ner").glob("*-s4-*")
    check_names(read_record(first / "record.json"))
    with pytest.raises(SystemExit) as exit_:
        cli.main(shlex.split(command_of(first, capsys), comments=True)[3:])
    assert exit_.value.code == 0
    second = tmp_path / "repeated" / "ner" / first.name
    for name in set(RUN_FILES) - {"record.json", "config.yaml"}:  # these two hold times and the new results_dir
        assert (second / name).read_bytes() == (first / name).read_bytes()
    ours, theirs = (without_times(read_record(folder / "record.json")) for folder in (second, first))
    for one in (ours, theirs):
        del one["environment"], one["config"]["results_dir"], one["config"]["device"], one["config"]["threads"]
    assert ours == theirs


def recorded(folder: Path, **environment: Any) -> Path:
    """Write a record of this environment."""
    one = RunRecord(status="failed", task="ner", name="random-s1", identity="abc", seed=1, environment=environment)
    path = folder / "record.json"
    path.write_text(json.dumps(asdict(one)))
    return path


def test_the_shell_reads_the_options_unchanged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = ["data.train=it's a file.conll", "encoder.name=$HOME", "a=[1,2]", 'b="x y"', "c={d: 1}", "e=*", "f=`g`"]
    path = recorded(tmp_path, overrides=[*odd, "threads=7", "overwrite=true"], threads=2, device="cpu")
    last = command_of(path, capsys).splitlines()[-1]
    start = ["python", "-m", "harness"]
    assert shlex.split(last) == [*start, *odd, "results_dir=repeated", "device=cpu", "threads=2"]
    printed = subprocess.run(
        ["bash", "-c", last.replace("python -m harness", "printf '%s\\n'")], capture_output=True, text=True
    )
    assert printed.stdout.splitlines() == shlex.split(last)[3:]


def test_the_comments_name_code_packages_and_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = {"overrides": [], "python": "3.11.7", "packages": {"torch": "2.13", "wandb": None}, "processor": "EPYC"}
    text = command_of(recorded(tmp_path, **known, revision="f00", dirty=True), capsys)
    assert "# code: revision f00, with uncommitted changes that are not recorded: the result may differ\n" in text
    assert "# Python 3.11.7; torch 2.13\n" in text
    assert "# result: repeated/ner/random-s1-abc" in text
    path = recorded(tmp_path, **known)
    path.write_text(path.read_text().replace('"schema_version": 2', '"schema_version": 1'))
    assert "# result: repeated/ner/random-s1-*;" in command_of(path, capsys)  # its identity was of another kind
    clean = command_of(recorded(tmp_path, **known, revision="f00", dirty=False), capsys)
    assert "# code: revision f00\n" in clean
    assert all(line.startswith("#") for line in clean.splitlines()[:-1])


def test_plug_ins_are_named_with_their_folders_and_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(tmp_path, overrides=["task=mine"], config_dirs=["/my conf"])
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"determining": {"task.code": "Mine@0123456789", "mixing.code": "ScalarMix"}}))
    text = command_of(path, capsys)
    assert "# code of your own, with the digest of its file: task.code Mine@0123456789\n" in text
    assert text.splitlines()[-1] == "python -m harness '--config-dir=/my conf' task=mine results_dir=repeated"


def test_the_command_of_an_older_record_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    single = command_of(recorded(tmp_path, command=["__main__.py", "encoder=none", "seed=2"]), capsys)
    assert single.splitlines()[-1] == "python -m harness encoder=none seed=2 results_dir=repeated"
    assert main(["--rerun", str(recorded(tmp_path, command=["__main__.py", "-m", "seed=1,2"]))]) == 2
    assert "it is one run of: python -m harness -m seed=1,2" in capsys.readouterr().err
    assert main(["--rerun", str(tmp_path / "nowhere")]) == 2


def test_of_an_option_that_was_given_twice_the_last_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A job of a sweep has the value of the preset, and then that of the command line."""
    path = recorded(tmp_path, overrides=["mixing=mean", "seed=1", "mixing=top"])
    assert command_of(path, capsys).endswith("\npython -m harness mixing=top seed=1 results_dir=repeated\n")
