"""A dry run fails where the run would, says why, and downloads nothing."""

from pathlib import Path

import pytest
import requests

from harness import cli
from harness.utils.download import NotDownloaded, fetch, no_downloads
from tests.support.sweeps import QUICK, not_given, sweep


def run(folder: Path, *arguments: str) -> int:
    own = not_given(QUICK, arguments)
    if "encoder=none" in arguments:
        own = [word for word in own if not word.startswith("encoder.")]
    with pytest.raises(SystemExit) as exit_:
        cli.main([*own, f"results_dir={folder}/results", f"cache_dir={folder}/cache", *arguments])
    return int(exit_.value.code or 0)


WRONG = [
    ("task.bilstm_crf.hidden_dim=0", "task.bilstm_crf.hidden_dim is 0; expected a value greater than or equal to 1"),
    ("task.bilstm_crf.dropout=1.5", "task.bilstm_crf.dropout is 1.5; expected a value less than 1"),
    ("mixing.dropout=1.5", "mixing.dropout is 1.5; expected a value less than 1"),
    ("encoder=none", "nothing enters the head at its input"),
    ("mixing.placement=output", "nothing enters the head at its input"),
    ("trainer.optimizer=Adma", "no optimiser of torch.optim"),
    ("cache_dtype=int8", "cache_dtype is 'int8'"),
]


@pytest.mark.parametrize(("setting", "reason"), WRONG)
def test_what_a_run_refuses_a_dry_run_refuses(
    setting: str, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, setting) == 2
    assert reason in capfd.readouterr().err
    assert run(tmp_path, setting, "dry_run=true") == 2
    assert reason in capfd.readouterr().err
    if setting != "encoder=none":  # the options of the random encoder are in the way
        assert sweep(tmp_path, setting, "seed=1,2", "dry_run=true") == 1
        shown = capfd.readouterr().out.splitlines()
        assert [reason in line and ": " in line for line in shown] == [True, True, False]
        assert shown[0].startswith("seed=1  would fail: ")
        assert "2 jobs: 0 finished, 0 to run, 2 would fail" in shown[2]


def test_each_setting_that_would_fail_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(tmp_path, "task.bilstm_crf.hidden_dim=0,8", "mixing.dropout=0,1.5", "dry_run=true") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[2].strip().partition(";")[0] for line in lines[:4]] == [
        "would fail: task.bilstm_crf.hidden_dim is 0",
        "would fail: mixing.dropout is 1.5",
        "would train at most 1 epochs (time unknown: no finished run has the same task options and vector widths)",
        "would fail: mixing.dropout is 1.5",
    ]
    assert not (tmp_path / "results").exists()


def test_a_dry_run_downloads_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a dry run opened a connection")

    monkeypatch.setattr(requests.Session, "request", refused)
    assert run(tmp_path, "data=official", "dry_run=true") == 0
    shown = capfd.readouterr().out
    assert shown.startswith("would first download https://")
    assert shown.count("\n") == 1
    assert sweep(tmp_path, "data=official", "task.scheme=auto,bix", "dry_run=true") == 1
    first, second, total = capfd.readouterr().out.splitlines()
    assert "task.scheme=auto  would first download https://" in first
    assert "task.scheme=bix   would fail: task.scheme is 'bix'" in second
    assert "2 jobs: 0 finished, 1 to run, 1 would fail" in total
    assert "an unknown time for 1 jobs whose files are not downloaded yet" in total


def test_a_file_that_is_here_is_used(tmp_path: Path) -> None:
    (tmp_path / "there.txt").write_text("text")
    with no_downloads():
        assert fetch("https://example.org/there.txt", folder=tmp_path) == tmp_path / "there.txt"
        with pytest.raises(NotDownloaded, match=r"would first download https://example\.org/missing\.txt"):
            fetch("https://example.org/missing.txt", folder=tmp_path)
