"""A report says which runs ended before their patience did."""

from pathlib import Path

import pytest

from harness.analysis.report.epochs import note_on_epochs, records_of
from harness.analysis.report.settings import gathered, read_records
from harness.commands.compare import main as compare
from harness.commands.report import main as report
from tests.support.reports import write_run

CONFIG = {"task": {"_target_": "nowhere.Labels"}, "trainer": {"max_epochs": 5, "patience": 2}}


def write(folder: Path, key: str, best_epochs: tuple[int, ...], epochs: int = 5) -> None:
    for seed, best in enumerate(best_epochs, start=1):
        changes = {"setting": key, "identity": f"{key}{seed}", "config": CONFIG, "best_epoch": best}
        write_run(folder / f"{key}{seed}", encoder=key, seed=seed, chance=0.5, examples=9, epochs=epochs, **changes)


def test_each_setting_has_its_count(tmp_path: Path) -> None:
    write(tmp_path, "a", (5, 4, 3))
    write(tmp_path, "b", (2, 2), epochs=4)
    write(tmp_path, "c", (4,))
    (block,) = gathered(read_records(tmp_path)).blocks
    assert note_on_epochs(records_of(block)) == (
        "trainer.max_epochs ended 3 of 6 runs before trainer.patience did (# 1: 2 of 3; # 3: 1 of 1); in 1 of them, "
        "the last epoch was the best on dev. With more epochs, scores may rise, most of all for slow learners."
    )


def test_a_long_list_of_settings_is_cut(tmp_path: Path) -> None:
    for i in range(12):
        write(tmp_path, f"e{i:02}", (5,))
    (block,) = gathered(read_records(tmp_path)).blocks
    assert "ended 12 of 12 runs before trainer.patience did (# 1: 1 of 1; " in note_on_epochs(records_of(block))
    assert "; # 10: 1 of 1; ...); in 12 of them" in note_on_epochs(records_of(block))


def test_every_output_that_compares_settings_says_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results, note = tmp_path / "results", "trainer.max_epochs ended 2 of 5 runs before"
    write(results, "a", (5, 4, 3))
    write(results, "b", (2, 2), epochs=4)
    assert report([str(results)]) == 0
    assert capsys.readouterr().out.count(f"labels on made_up: {note}") == 1
    assert report([str(results), "--out", str(tmp_path / "report"), "--rounds", "0"]) == 0
    for name in ("report.md", "report.html", "report.tex"):
        assert (tmp_path / "report" / name).read_text().count(note) == 1
    capsys.readouterr()
    assert report([str(results), "--compare", "encoders", "--out", str(tmp_path / "ranking")]) == 0
    assert capsys.readouterr().out.count(note) == 1
    assert compare(["1", "2", "--dir", str(results), "--rounds", "1"]) == 0
    assert capsys.readouterr().out.count(f"{note} trainer.patience did (A: 2 of 3); in 1 of them") == 1


def test_runs_that_patience_ended_need_no_note(tmp_path: Path) -> None:
    write(tmp_path, "a", (3, 3))
    write(tmp_path, "b", (1, 2), epochs=4)
    (block,) = gathered(read_records(tmp_path)).blocks
    assert note_on_epochs(records_of(block)) == ""
