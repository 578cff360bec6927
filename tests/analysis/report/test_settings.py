"""Which settings are compared with each other, and what a setting knows of its runs."""

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.report.analysis import analyse
from harness.analysis.report.csv_files import settings_table
from harness.analysis.report.paper_numbers import NO_NUMBERS
from harness.analysis.report.sections.confusions import confusion
from harness.analysis.report.settings import Results, gathered, read_records
from harness.commands.report import main
from tests.support.reports import write_run

DIGESTS = {"dev": "d" * 64, "test": "e" * 64}


def write(folder: Path, key: str, seed: int, **changes: Any) -> None:
    task = {"_target_": "nowhere.Labels", "metric": changes.get("primary_metric", "accuracy")}
    config = {"task": task, "data": {"fraction": 1.0}, "seed": seed}
    also = {"setting": key, "identity": f"{key}{seed}", "config": config, **changes}
    write_run(folder / f"{key}-{seed}", encoder="none", seed=seed, chance=0.5, examples=20, **also)


def read(folder: Path) -> Results:
    return gathered(read_records(folder))


def test_settings_that_are_scored_by_different_metrics_are_not_compared(tmp_path: Path) -> None:
    for metric in ("accuracy", "macro_f1"):
        for seed in (1, 2):
            write(tmp_path / "results", metric, seed, primary_metric=metric)
    blocks = read(tmp_path / "results").blocks
    assert [(block.name, block.metric, len(block.settings)) for block in blocks] == [
        ("labels on made_up (task.metric accuracy)", "accuracy", 1),
        ("labels on made_up (task.metric macro_f1)", "macro_f1", 1),
    ]
    assert main([str(tmp_path / "results"), "--out", str(tmp_path / "report")]) == 0


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_label_that_only_some_runs_predict_has_a_share_of_zero_in_the_others(
    tmp_path: Path, order: tuple[int, int]
) -> None:
    without = {"a/f1": 0.9, "b/f1": 0.8, "confusion/a/a": 0.5, "confusion/a/b": 0.1, "confusion/b/b": 0.4}
    with_c = {"a/f1": 0.7, "b/f1": 0.8, "c/f1": 0.0, "confusion/a/a": 0.3, "confusion/a/c": 0.3, "confusion/b/b": 0.4}
    with_c |= {f"confusion/c/{label}": 0.0 for label in "abc"}
    for seed, scores in zip(order, (without, with_c), strict=True):
        write(tmp_path, "one", seed, metrics={split: {"accuracy": 0.5, **scores} for split in DIGESTS})
    (block,) = read(tmp_path).blocks
    labels, shares = confusion(block.settings[0], "test")
    assert sorted(labels) == ["a", "b", "c"]
    row = dict(zip(labels, shares[labels.index("a")], strict=True))
    assert row == pytest.approx({"a": 0.8 / 1.2, "b": 0.1 / 1.2, "c": 0.3 / 1.2})
    table = settings_table([analyse(block, split="test", rounds=0, seed=0, baseline=None)], NO_NUMBERS)
    found = table[(table["split"] == "test") & (table["metric"] == "confusion/a/c")]
    assert found[["n", "mean"]].to_numpy().tolist() == [[2, 0.15]]


def test_other_dev_data_are_named(tmp_path: Path) -> None:
    data = {"name": "made_up", "sizes": {"train": 9, "dev": 20, "test": 20}}
    write(tmp_path, "one", 1, data=data | {"sha256": DIGESTS})
    assert read(tmp_path).notes == ()
    write(tmp_path, "two", 1, data=data | {"sha256": DIGESTS | {"dev": "f" * 64}})
    assert read(tmp_path).notes == (
        "labels on made_up: the dev data are not the same in all settings; do not compare scores on dev.",
    )
