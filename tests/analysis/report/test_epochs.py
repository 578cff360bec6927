"""A report says which runs ended before their patience did."""

from pathlib import Path

import pytest

from harness.analysis.report.epochs import note_on_epochs
from harness.analysis.report.settings import gathered, read_records
from harness.commands.report import main
from tests.support.reports import write_run

CONFIG = {"task": {"_target_": "nowhere.Labels"}, "trainer": {"max_epochs": 5, "patience": 2}}


def write(folder: Path, key: str, best_epochs: tuple[int, ...], epochs: int = 5) -> None:
    for seed, best in enumerate(best_epochs, start=1):
        changes = {"setting": key, "identity": f"{key}{seed}", "config": CONFIG, "best_epoch": best}
        write_run(folder / f"{key}{seed}", encoder=key, seed=seed, chance=0.5, examples=9, epochs=epochs, **changes)


def test_each_setting_has_its_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a", (5, 4, 3))
    write(tmp_path, "b", (2, 2), epochs=4)
    (block,) = gathered(read_records(tmp_path)).blocks
    expected = (
        "labels on made_up: trainer.max_epochs ended 2 of 5 runs before trainer.patience did "
        "(# 1: 2 of 3; # 2: 0 of 2). With more epochs, scores may rise, most of all for slow learners."
    )
    assert note_on_epochs(block) == expected
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == expected
    assert main([str(tmp_path), "--out", str(tmp_path / "report"), "--rounds", "0"]) == 0
    for name in ("report.md", "report.html"):
        assert "ended 2 of 5 runs before" in (tmp_path / "report" / name).read_text()


def test_runs_that_patience_ended_need_no_note(tmp_path: Path) -> None:
    write(tmp_path, "a", (3, 3))
    write(tmp_path, "b", (1, 2), epochs=4)
    (block,) = gathered(read_records(tmp_path)).blocks
    assert note_on_epochs(block) == ""
