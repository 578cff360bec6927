"""The section on layer use: its numbers by hand, and which runs belong together."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.report.analysis import analyse
from harness.analysis.report.parts import Part, Wanted
from harness.analysis.report.sections.layer_use import section
from harness.analysis.report.settings import gathered, read_records
from harness.analysis.report.tables import Table
from tests.support.reports import write_run

WEIGHTS = {1: [0.2, 0.3, 0.5], 2: [0.4, 0.3, 0.3]}


def write(folder: Path, encoder: str, mix: str, score: float, weights: dict[int, list[float]], **more: Any) -> None:
    """Write two runs of a setting with these weights; ``more`` are options of the mix, and norms."""
    norms = {"norms": more.pop("norms")} if "norms" in more else {}
    code = {"cumulative": "cumulative_mix", "scalar_mix": "ScalarMix"}.get(mix, "FixedMix")
    key = f"{encoder}{mix}{sorted(more.items())}"
    determining = {"encoder.fingerprint": encoder, "mixing.code": code}
    determining |= {f"mixing.{name}": value for name, value in more.items()}
    for seed, row in weights.items():
        run = write_run(
            folder / key,
            encoder=encoder,
            seed=seed,
            chance=0.5,
            examples=10,
            setting=key,
            identity=f"{key}{seed}",
            config={"task": {}, "encoder": {"name": encoder}, "mixing": {"name": mix, **more}, "seed": seed},
            determining={**determining, "seed": seed},
            mixing={"name": mix, "placement": "input", "weights": {"input": row}, "gamma": {"input": 1.0}, **norms},
        )
        record = json.loads((run / "record.json").read_text())
        record["encoder"]["num_layers"] = 3
        for split in ("dev", "test"):
            record["metrics"][split]["accuracy"] = score
        (run / "record.json").write_text(json.dumps(record))


def single(layer: int) -> dict[int, list[float]]:
    return {seed: [float(i == layer) for i in range(3)] for seed in WEIGHTS}


def section_of(folder: Path) -> Part:
    (block,) = gathered(read_records(folder)).blocks
    part = section(analyse(block, split="test", rounds=0, seed=0, baseline=None), Wanted(sort="axes"))
    assert part is not None
    return part


def table(part: Part, title: str) -> Table:
    return next(one for one in part.tables if one.title == title)


def test_a_mix_beside_the_layers_of_its_own_encoder(tmp_path: Path) -> None:
    write(tmp_path, "elmo", "scalar_mix", 0.9, WEIGHTS, norms=[1.0, 2.0, 4.0])
    for layer in range(3):
        write(tmp_path, "elmo", "layer", 0.5 + 0.1 * layer, single(layer), index=layer)
        write(tmp_path, "bert", "layer", 0.1 + 0.1 * layer, single(layer), index=layer)
    part = section_of(tmp_path)
    (centre,) = table(part, "Learned mixes").rows
    assert centre[2].startswith("1.10 ± ")  # the mean of 1.3 and 0.9
    rows = table(part, "Weight of each layer").rows
    assert [row[1] for row in rows] == ["0", "1", "2"]
    assert [row[3].split()[0] for row in rows] == ["0.300", "0.300", "0.400"]
    assert [float(row[3].split()[2]) for row in rows] == pytest.approx([12.706 * 0.1, 0, 12.706 * 0.1], abs=1e-3)
    scaled = [(0.2 / 2.8 + 0.4 / 2.2) / 2, (0.6 / 2.8 + 0.6 / 2.2) / 2, (2.0 / 2.8 + 1.2 / 2.2) / 2]
    assert [float(row[4].split()[0]) for row in rows] == pytest.approx(scaled, abs=1e-3)
    assert [row[5].split()[0] for row in rows] == ["50.00", "60.00", "70.00"]
    assert [figure.title for figure in part.figures] == ["Mix weights", "Score of each single layer"]
    assert len(re.findall('class="line" points', part.figures[1].drawing)) == 1
    assert "not importance (arXiv 2404.09385)" in " ".join(part.notes)


def test_a_mix_that_normalises_its_layers_has_no_scaled_weights(tmp_path: Path) -> None:
    write(tmp_path, "elmo", "scalar_mix", 0.9, WEIGHTS, norms=[1.0, 2.0, 4.0], layer_norm="token")
    rows = table(section_of(tmp_path), "Weight of each layer").rows
    assert [len(row) for row in rows] == [4] * 3  # neither scaled weights nor single layers


@pytest.mark.parametrize("norms", [[1.0, 2.0], [1.0, 0.0, 2.0], [1.0, float("nan"), 2.0]])
def test_norms_that_cannot_be_right_are_not_used(norms: list[float], tmp_path: Path) -> None:
    write(tmp_path, "elmo", "scalar_mix", 0.9, WEIGHTS, norms=norms)
    assert [len(row) for row in table(section_of(tmp_path), "Weight of each layer").rows] == [4] * 3


def test_the_expected_layer_of_cumulative_mixes(tmp_path: Path) -> None:
    mixed: dict[int, dict[int, list[float]]] = {0: single(0), 1: {1: [0.4, 0.6, 0.0], 2: [0.5, 0.5, 0.0]}, 2: WEIGHTS}
    for index, score in ((0, 0.5), (1, 0.9), (2, 0.8)):
        write(tmp_path, "elmo", "cumulative", score, mixed[index], index=index)
    part = section_of(tmp_path)
    (row,) = table(part, "Expected layer").rows
    assert tuple(row) == ("elmo", "+40.00, -10.00", "0.67", "1.00")
    assert [row[1] for row in table(part, "Learned mixes").rows] == ["layers 0 to 2"]  # the others lack layers
    (block,) = gathered(read_records(tmp_path)).blocks
    assert [one.label for one in block.settings] == [f"layers 0 to {index}" for index in range(3)]


def test_a_cumulative_mix_of_layer_0_is_not_the_single_layer_0(tmp_path: Path) -> None:
    write(tmp_path, "elmo", "cumulative", 0.2, single(0), index=0)
    write(tmp_path, "elmo", "layer", 0.5, single(0), index=0)
    write(tmp_path, "elmo", "scalar_mix", 0.9, WEIGHTS)
    assert [
        row[4].split()[0] if row[4] else "" for row in table(section_of(tmp_path), "Weight of each layer").rows
    ] == [
        "50.00",
        "",
        "",
    ]


def test_a_mix_of_one_layer_is_not_the_single_layer(tmp_path: Path) -> None:
    write(tmp_path, "elmo", "first_of_all_names", 0.2, single(2), layers=[2], gamma=False)
    write(tmp_path, "elmo", "layer", 0.5, single(2), index=2)
    write(tmp_path, "elmo", "scalar_mix", 0.9, WEIGHTS)
    assert table(section_of(tmp_path), "Weight of each layer").rows[2][4].startswith("50.00")


def test_a_single_layer_with_another_norm_is_not_that_of_the_mix(tmp_path: Path) -> None:
    write(tmp_path, "elmo", "layer", 0.3, single(2), index=2, layer_norm="none")
    write(tmp_path, "elmo", "layer", 0.5, single(2), index=2, layer_norm="token")
    write(tmp_path, "elmo", "scalar_mix", 0.9, WEIGHTS, layer_norm="token")
    assert table(section_of(tmp_path), "Weight of each layer").rows[2][-1].startswith("50.00")


def test_the_two_meanings_of_plus_or_minus_are_told(tmp_path: Path) -> None:
    write(tmp_path, "elmo", "scalar_mix", 0.9, WEIGHTS)
    found = table(section_of(tmp_path), "Learned mixes")
    assert "± is half of the 95 % interval" in found.note
    assert "after a score, it is the standard deviation" in found.note


def test_a_chosen_part_of_the_layers_is_shown_without_the_others(tmp_path: Path) -> None:
    write(tmp_path, "elmo", "scalar_mix", 0.9, {1: [0.0, 0.4, 0.6], 2: [0.0, 0.5, 0.5]}, layers=[1, 2])
    assert [row[1] for row in table(section_of(tmp_path), "Weight of each layer").rows] == ["1", "2"]


def test_a_long_table_of_weights_is_folded_away(tmp_path: Path) -> None:
    for i in range(7):
        write(tmp_path, f"encoder{i}", "scalar_mix", 0.5, WEIGHTS)
    part = section_of(tmp_path)
    assert [one.title for one in part.tables] == ["Learned mixes"]
    assert [len(one.rows) for one in part.folded] == [21]
