"""The comparison page: which scores it shows, what is missing, and its files read with other tools."""

import csv
import json
import re
from pathlib import Path

import pytest

from harness.analysis.report.comparison import explanation, ranked_values
from harness.analysis.report.settings import gathered, read_records
from harness.commands.report import main
from tests.support.reports import write_run

TASKS = ("one", "two", "three")


def write(folder: Path, task: str, encoder: str, chance: float, mix: str = "top") -> None:
    for seed in (1, 2, 3):
        name = f"{task}-{encoder}-{mix}"
        data = {"name": task, "sizes": {"test": 200, "dev": 200}, "sha256": {"test": task * 9}}
        write_run(
            folder / name,
            encoder=encoder,
            seed=seed,
            chance=chance,
            setting=name,
            identity=f"{name}{seed}",
            task=task,
            data=data,
            mixing={"name": mix, "placement": "input", "weights": {}, "gamma": {}},
        )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tasks; one encoder has two mixes, and another lacks a task."""
    folder = tmp_path_factory.mktemp("comparison")
    for task in TASKS:
        write(folder, task, "none", 0.3)
        write(folder, task, "elmo", 0.9)
        write(folder, task, "elmo", 0.6, mix="mean")
    for task in TASKS[:2]:
        write(folder, task, "half", 0.95)
    return folder


def test_a_damaged_record_is_named_on_the_page(tmp_path: Path) -> None:
    write(tmp_path / "results", "one", "none", 0.3)
    write(tmp_path / "results", "one", "elmo", 0.9)
    damaged = tmp_path / "results" / "damaged" / "record.json"
    damaged.parent.mkdir()
    damaged.write_text("{")
    assert main([str(tmp_path / "results"), "--compare", "encoder", "--out", str(tmp_path / "page")]) == 0
    page = (tmp_path / "page" / "compare.html").read_text()
    assert f"A run is left out, because this file cannot be read: {damaged}" in page


def test_a_missing_score_keeps_a_value_out_of_the_aggregates(results: Path) -> None:
    found = ranked_values(gathered(read_records(results)), "encoders", split="test", rounds=100, seed=0)
    assert [one.name for one in found.ranked] == ["elmo", "static vectors"]
    assert [one.rank for one in found.ranked] == [1.0, 2.0]  # not behind the one that is left out
    assert [round(one.normalised) for one in found.ranked] == [1000, 0]
    assert [one.group for one in found.ranked] == [1, 2]
    assert found.order == ["elmo", "static vectors", "half"]
    assert [cell is None for cell in found.cells["half"]] == [False, True, False]  # one, three, two
    assert found.notes == ("Left out of the aggregates, because a score is missing: half.",)


def test_of_several_settings_the_best_on_dev_is_shown(results: Path) -> None:
    found = ranked_values(gathered(read_records(results)), "encoder", split="test", rounds=0, seed=0)
    for cell in found.cells["elmo"]:
        assert cell is not None
        assert cell.of == 2
        assert cell.setting.values["mix"] == "top"


def test_the_files(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(results), "--compare", "encoders", "--out", str(tmp_path), "--rounds", "100"]) == 0
    assert "missing" in capsys.readouterr().out
    with (tmp_path / "compare.csv").open(newline="") as file:
        rows = {row["encoder"]: row for row in csv.DictReader(file)}
    assert float(rows["elmo"]["rank"]) == 1
    assert rows["half"]["rank"] == rows["half"]["three on three (accuracy)"] == ""
    found = json.loads((tmp_path / "compare.json").read_text())
    (elmo,) = (value for value in found["values"] if value["value"] == "elmo")
    cells = list(elmo["tasks"].values())
    assert elmo["aggregates"]["mean"] == pytest.approx(sum(cell["mean"] for cell in cells) / 3)
    for cell in cells:
        assert cell["mean"] == pytest.approx(sum(cell["scores"].values()) / 3)
        assert cell["interval"][0] < cell["mean"] < cell["interval"][1]
    assert float(rows["elmo"]["mean"]) == pytest.approx(elmo["aggregates"]["mean"])
    page = (tmp_path / "compare.html").read_text()
    assert "1000 / tasks * sum over tasks of (score - base) / (best - base)" in page
    assert "elmo has the highest mean over 3 tasks. The 2 ranked rows form 2 groups of ties." in page
    assert re.search(r'<td class="[^"]*">missing</td>', page)
    assert (tmp_path / "figures" / "compare-mean-rank.svg").exists()


def test_a_control_task_is_no_task_of_the_comparison(tmp_path: Path) -> None:
    for task in TASKS[:2]:
        write(tmp_path, task, "none", 0.3)
        write(tmp_path, task, "elmo", 0.9)
    for encoder, chance in (("none", 0.9), ("elmo", 0.3)):
        data = {"name": "one", "sizes": {"test": 200, "dev": 200}, "sha256": {"test": "c" * 64}}
        control = {"seed": 1, "encoder.name": encoder, "task.control": 7}
        name = f"control-{encoder}"
        write_run(
            tmp_path / name,
            encoder=encoder,
            seed=1,
            chance=chance,
            setting=name,
            identity=name,
            task="one",
            data=data,
            determining=control,
        )
    found = ranked_values(gathered(read_records(tmp_path)), "encoders", split="test", rounds=0, seed=0)
    assert [one.name for one in found.ranked] == ["elmo", "static vectors"]
    assert found.tasks == ("one on one (accuracy)", "two on two (accuracy)")
    assert found.notes[0] == "Left out: control tasks (1), on which a high score is not good."


def test_any_axis_can_be_compared(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(results), "--compare", "mix", "--only", "encoder=elmo"]) == 0
    shown = capsys.readouterr().out
    assert "top" in shown
    assert "The normalised score needs a run with static vectors alone on every task." in shown
    assert main([str(results), "--compare", "encodr"]) == 2
    assert "--compare encodr: no run has this option; did you mean 'encoder'?" in capsys.readouterr().err
    assert main([str(results), "--compare", "primary", "--only", "encoder=elmo"]) == 2
    assert main([str(results), "--compare", "encoder", "--only", "encoder=elmo"]) == 2
    assert "all runs have the same value, elmo" in capsys.readouterr().err


def test_the_explanation_is_at_most_twenty_short_lines(results: Path) -> None:
    found = ranked_values(gathered(read_records(results)), "encoder", split="test", rounds=0, seed=0)
    assert len(explanation(found)) <= 20
    assert all(len(line) <= 120 for line in explanation(found))


def test_each_fraction_of_the_training_data_is_a_task(tmp_path: Path) -> None:
    """An encoder that was measured only on a tenth is not compared with others on all of it."""
    for encoder, fraction, chance in (("none", 1.0, 0.5), ("elmo", 1.0, 0.9), ("none", 0.1, 0.3), ("other", 0.1, 0.95)):
        for seed in (1, 2, 3):
            run = tmp_path / f"{encoder}-{fraction}-{seed}"
            determining = {"seed": seed, "encoder.name": encoder} | ({"data.fraction": 0.1} if fraction < 1 else {})
            write_run(run, encoder=encoder, seed=seed, chance=chance, fraction=fraction, determining=determining)
    found = ranked_values(gathered(read_records(tmp_path)), "encoders", split="test", rounds=0, seed=0)
    assert found.tasks == ("labels on made_up, 100 % (accuracy)", "labels on made_up, 10 % (accuracy)")
    assert [cell is None for cell in found.cells["other"]] == [True, False]
    assert [one.name for one in found.ranked] == ["static vectors"]
    assert found.notes[0] == "Left out of the aggregates, because a score is missing: elmo, other."
    for axis in ("fractions", "data.fraction"):
        by_fraction = ranked_values(gathered(read_records(tmp_path)), axis, split="test", rounds=0, seed=0)
        assert by_fraction.tasks == ("labels on made_up (accuracy)",)


def test_lists_are_values_and_seeds_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for layers, chance in (([1, 2], 0.9), ([2], 0.5)):
        for seed in (1, 2):
            determining = {"seed": seed, "encoder.name": "elmo", "mixing.layers": layers}
            changes = {"setting": str(layers), "identity": f"{layers}{seed}", "determining": determining}
            write_run(tmp_path / f"{layers}-{seed}", encoder="elmo", seed=seed, chance=chance, **changes)
    found = ranked_values(gathered(read_records(tmp_path)), "mixing.layers", split="test", rounds=0, seed=0)
    assert sorted(found.cells) == ["[1, 2]", "[2]"]
    assert main([str(tmp_path), "--compare", "seed"]) == 2
    assert "--compare seed: each score is a mean over seeds" in capsys.readouterr().err


def test_one_seed_on_a_task_gives_no_group_of_ties(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a test, two encoders are not ties either."""
    for task, seeds in (("one", (1, 2, 3)), ("two", (1,))):
        for encoder, chance in (("none", 0.3), ("elmo", 0.9)):
            for seed in seeds:
                name = f"{task}-{encoder}"
                data = {"name": task, "sizes": {"test": 200, "dev": 200}, "sha256": {"test": task * 9}}
                changes = {"setting": name, "identity": f"{name}{seed}", "task": task, "data": data}
                write_run(tmp_path / f"{name}{seed}", encoder=encoder, seed=seed, chance=chance, **changes)
    assert main([str(tmp_path), "--compare", "encoders", "--out", str(tmp_path / "page"), "--rounds", "10"]) == 0
    assert "Without a group, because a test needs two seeds" in capsys.readouterr().out
    found = json.loads((tmp_path / "page" / "compare.json").read_text())
    assert [value["aggregates"]["group"] for value in found["values"]] == [None, None]
    (elmo,) = (value["tasks"] for value in found["values"] if value["value"] == "elmo")
    assert [cell["group"] for cell in elmo.values()] == [1, None]
    page = (tmp_path / "page" / "compare.html").read_text()
    assert "but it is not tested, because fewer than two of its seeds are common to all tasks." in page
