"""Score against cost: which points nothing dominates, where they are drawn, and which runs are left out."""

import csv
import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.analysis.report.analysis import analyse
from harness.analysis.report.comparison import _priced, figures, ranked_values
from harness.analysis.report.cost_plot import Point, cost_plot, not_dominated, short_number
from harness.analysis.report.costs import costs_of
from harness.analysis.report.parts import Part, Wanted
from harness.analysis.report.sections.costs import section
from harness.analysis.report.settings import gathered, read_records
from harness.commands.report import main
from tests.support.reports import write_run

numbers = st.integers(0, 5).map(float)
points = st.lists(st.builds(lambda cost, score: Point("", "", cost, [score]), numbers, numbers), min_size=1)


@given(points)
def test_what_nothing_dominates_by_enumeration(some: list[Point]) -> None:
    def beats(a: Point, b: Point) -> bool:
        return a.cost <= b.cost and a.score >= b.score and (a.cost, a.score) != (b.cost, b.score)

    expected = {(one.cost, one.score) for one in some if not any(beats(other, one) for other in some)}
    found = [(one.cost, one.score) for one in not_dominated(some)]
    assert found == sorted(expected)


def test_times_that_differ_by_noise_are_equal() -> None:
    slow, fast = Point("slow", "", 10.04, [9.0]), Point("fast", "", 10.0, [5.0])
    assert not_dominated([slow, fast]) == [slow]


def plot(costs: list[float], labels: list[str] | None = None) -> str:
    names = labels or [f"p{i}" for i in range(len(costs))]
    some = [Point(name, f"name of {name}", cost, [float(i)]) for i, (name, cost) in enumerate(zip(names, costs))]  # noqa: B905
    return cost_plot("t", some, x_name="x", y_name="y")


def places(drawing: str) -> list[float]:
    return sorted(float(x) for x in re.findall(r'<circle cx="([\d.]+)"', drawing))


def ticks(drawing: str) -> list[str]:
    """Return the texts below the axis."""
    return re.findall(r'<text class="" x="[\d.]+" y="253.0">([^<]+)</text>', drawing)


def test_the_axis_is_logarithmic_and_zero_is_left_of_it() -> None:
    zero, one, ten, hundred = places(plot([0, 1e6, 1e7, 1e8]))
    assert ten - one == pytest.approx(hundred - ten, abs=0.2)
    assert zero < one
    assert ticks(plot([0, 1e6, 1e7, 1e8])) == ["0", "1M", "10M", "100M"]


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ([4.1, 4.4], ["2", "5"]),
        ([900.0, 41_000.0], ["1k", "3k", "10k", "30k"]),
        ([0.02, 0.3], ["0.02", "0.05", "0.1", "0.2"]),
        ([7.0, 7.0], ["5", "10"]),
        ([0.0, 0.0], ["0"]),
        ([1.0, 1e12], ["1", "1k", "1M", "1G", "1T"]),
    ],
)
def test_ticks_are_round(costs: list[float], expected: list[str]) -> None:
    assert ticks(plot(costs)) == expected


@given(st.lists(st.floats(1e-6, 1e15), min_size=1, max_size=40))
@example([5.0] * 40)
@example([5.0 + 0.1 * i for i in range(40)])
def test_every_point_is_inside_and_no_label_is_on_another(costs: list[float]) -> None:
    drawing = plot(costs, [f"encoder-{i}" for i in range(len(costs))])
    assert all(42 <= x <= 386 for x in places(drawing))
    found = re.findall(r'<text class="start" x="([\d.]+)" y="([\d.]+)">(encoder-\d+)</text>', drawing)
    boxes = [(float(x), float(y), float(x) + 6.4 * len(name)) for x, y, name in found]
    for (left, up, right), (other_left, other_up, other_right) in combinations(boxes, 2):
        assert right <= other_left or other_right <= left or abs(up - other_up) >= 9.9


def test_numbers_are_short() -> None:
    values = (0, 0.0123, 9.94, 512, 999.6, 1500, 2_996_432, 93_600_000, 1.2e9, 3e12)
    shown = ["0", "0.0123", "9.94", "512", "1k", "1.5k", "3M", "93.6M", "1.2G", "3T"]
    assert [short_number(value) for value in values] == shown


def write(folder: Path, encoder: str, chance: float, *, seed: int = 1, task: str = "labels", **cost: Any) -> None:
    key = f"{task}{encoder}"
    data = {"name": task, "sizes": {"test": 50, "dev": 50}, "sha256": {"test": task * 9}}
    run = {"setting": key, "identity": f"{key}{seed}", "task": task, "data": data, "cost": cost}
    write_run(folder / key, encoder=encoder, seed=seed, chance=chance, examples=50, counted=False, **run)


def costs(size: int, device: str = "a CPU") -> dict[str, Any]:
    speed = 1e9 / size if size else None
    return {"encoder_parameters": size, "tokens_per_s": speed, "bytes_per_token": size / 10, "device": device}


def section_of(folder: Path) -> Part | None:
    (block,) = gathered(read_records(folder)).blocks
    return section(analyse(block, split="test", rounds=0, seed=0, baseline=None), Wanted())


def test_runs_without_costs_are_left_out_and_counted(tmp_path: Path) -> None:
    write(tmp_path, "old", 0.9)
    assert section_of(tmp_path) is None
    for i, encoder in enumerate(("none", "small", "large")):
        write(tmp_path, encoder, 0.5 + 0.1 * i, **costs(i * 1_000_000))
    part = section_of(tmp_path)
    assert part is not None
    assert part.notes == ["Left out: 1 of 4 runs, which have no recorded costs."]
    (table,) = part.tables
    assert {row[1]: row[3] for row in table.rows} == {"static vectors": "0", "small": "1M", "large": "2M"}
    assert "old" not in {row[1] for row in table.rows}
    assert "peak memory, bytes" not in table.columns  # nobody knows it
    titles = [figure.title for figure in part.figures]
    assert titles == ["Score by size of the encoder", "Score by time to encode", "Score by space on disk"]
    for figure in part.figures:
        assert figure.drawing.count("<circle") == 3
        assert "a CPU" in figure.note


def test_devices_are_never_in_one_plot(tmp_path: Path) -> None:
    for i, encoder in enumerate(("none", "small", "large")):
        write(tmp_path, encoder, 0.5 + 0.1 * i, **costs(i * 1_000_000))
        write(tmp_path, encoder, 0.5 + 0.1 * i, seed=2, **costs(i * 1_000_000, "a GPU"))
    write(tmp_path, "large", 0.6, seed=3, **costs(2_000_000, "a GPU"))
    for i, encoder in enumerate(("other", "another")):  # a plot needs three points
        write(tmp_path, encoder, 0.6, **costs(3_000_000 + 1_000_000 * i, "a third machine"))
    part = section_of(tmp_path)
    assert part is not None
    assert [figure.title for figure in part.figures if "size" in figure.title] == [
        "Score by size of the encoder: a CPU",
        "Score by size of the encoder: a GPU",
    ]
    scores = {(row[1], row[-1]): row[2] for row in part.tables[0].rows}
    assert "±" in scores["large", "a GPU"]  # two runs
    assert "±" not in scores["large", "a CPU"]  # one run


def test_the_cost_of_a_setting_is_the_median_of_its_runs_in_the_unit_of_the_axis(tmp_path: Path) -> None:
    for seed, epoch in enumerate((1.0, 2.0, 9.0)):
        write(tmp_path / str(seed), "elmo", 0.5, seed=seed, epoch_s=epoch, **costs(200_000))
    (block,) = gathered(read_records(tmp_path)).blocks
    (setting,) = block.settings
    found = costs_of(setting)["a CPU"]
    assert found["epoch_s"] == 2.0
    assert found["s_per_million_tokens"] == 200.0  # 5,000 tokens in a second


def test_the_table_of_many_settings_is_folded_away_and_report_csv_has_their_costs(tmp_path: Path) -> None:
    for i in range(21):
        write(tmp_path / "results", f"encoder{i}", 0.5, **costs(1000 * (1 + i)))
    part = section_of(tmp_path / "results")
    assert part is not None
    assert (len(part.tables), len(part.folded[0].rows)) == (0, 21)
    assert main([str(tmp_path / "results"), "--out", str(tmp_path), "--rounds", "0"]) == 0
    with (tmp_path / "report.csv").open(newline="") as file:
        assert {float(row["cost.encoder_parameters"]) for row in csv.DictReader(file)} == {
            1000 * (1 + i) for i in range(21)
        }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 1e-300, "text"])
def test_a_cost_that_is_no_number_is_unknown(value: Any, tmp_path: Path) -> None:
    for i, encoder in enumerate(("small", "middle", "large")):
        write(tmp_path, encoder, 0.5 + 0.1 * i, **{**costs(10 + i), "epoch_s": value})
    part = section_of(tmp_path)
    assert part is not None
    assert "s per epoch" not in part.tables[0].columns


def test_the_comparison_has_the_median_cost_over_tasks(tmp_path: Path) -> None:
    for i, encoder in enumerate(("none", "small", "large", "elsewhere")):
        for task, epoch in (("one", 1.0), ("two", 2.0), ("three", 9.0)):
            device = "a GPU" if encoder == "elsewhere" and task == "two" else "a CPU"
            found = {**costs(i * 1_000_000, device), "epoch_s": epoch * (1 + i)}
            write(tmp_path, encoder, 0.5 + 0.1 * i, task=task, **found)
    ranked = ranked_values(gathered(read_records(tmp_path)), "encoder", split="test", rounds=0, seed=0)
    plots = {figure.title: figure for figure in figures(ranked)}
    train = plots["Score by time to train"]
    assert train.drawing.count("<circle") == 3  # one was run on two devices
    assert train.note.startswith("a CPU. ")
    names = re.search(r"From the cheapest: ([^.]+)\.", train.note)
    assert names is not None
    assert names[1].split(", ")[0] == "static vectors"
    assert "medians over tasks" in train.note
    (priced,) = _priced(ranked).values()
    assert {one.label: one.costs["epoch_s"] for one in priced} == {"static vectors": 2.0, "small": 4.0, "large": 6.0}
    shown = json.dumps(train.drawing)
    assert shown.count("elsewhere") == 0
