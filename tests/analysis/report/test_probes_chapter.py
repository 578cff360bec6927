"""The chapter on probes: a control task next to its task, and code lengths as numbers and lines."""

import json
from pathlib import Path
from typing import Any

from harness.analysis.report.analysis import analyse
from harness.analysis.report.csv_files import runs_table
from harness.analysis.report.document import Document, document
from harness.analysis.report.parts import Wanted
from harness.analysis.report.settings import gathered, read_records
from tests.support.reports import write_run

COMPRESSION = {0: 2.0, 1: 4.0}


def write(folder: Path, *, layer: int, seed: int, accuracy: float, control: int | None = None) -> None:
    options: dict[str, Any] = {"mixing.index": layer} | ({} if control is None else {"task.control": control})
    key = f"{layer}-{control}"
    labels = "e" if control is None else "c"
    run = write_run(
        folder / key,
        encoder="elmo",
        seed=seed,
        chance=0.5,
        examples=10,
        setting=key,
        identity=f"{key}{seed}",
        config={"task": {"control": control}, "mixing": {"index": layer}, "seed": seed},
        determining={**options, "seed": seed},
        data={"name": "ewt", "sizes": {"train": 3}, "sha256": {"test": labels * 64}},
        mixing={"name": f"layer{layer}", "placement": "input", "weights": {}, "gamma": {}},
        code_length={"bits": 3000.0 * seed, "uniform_bits": 6000.0, "compression": COMPRESSION[layer]}
        if control is None
        else {},
    )
    record = json.loads((run / "record.json").read_text())
    record["metrics"]["test"]["accuracy"] = accuracy
    (run / "record.json").write_text(json.dumps(record))


def report_of(folder: Path) -> Document:
    results = gathered(read_records(folder))
    found = [analyse(block, split="test", rounds=0, seed=0, baseline=None) for block in results.blocks]
    return document(results, found, Wanted())


def test_a_control_task_is_shown_next_to_its_task(tmp_path: Path) -> None:
    for layer in (0, 1):
        for seed in (1, 2):
            write(tmp_path, layer=layer, seed=seed, accuracy=0.9)
    write(tmp_path, layer=1, seed=1, accuracy=0.3, control=7)
    *tasks, chapter = report_of(tmp_path).chapters
    assert [one.heading for one in tasks] == ["labels on ewt", "labels on ewt (control task, seed 7)"]
    assert chapter.heading == "Probes"
    assert chapter.headline == ("The labels of labels on ewt are compressed most with layer 1 (# 2): compression 4.00.")
    (part,) = chapter.parts
    (table,) = part.tables
    by_column = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["setting"] for row in by_column] == ["layer 0", "layer 1"]
    assert [row["control task"] for row in by_column] == ["", "30.00"]
    assert [row["selectivity"] for row in by_column] == ["", "60.00"]
    assert by_column[0]["code, kbit"].startswith("4.50 ± ")  # the mean of 3 and 6
    assert [row["compression"] for row in by_column] == ["2.00 ± 0.00", "4.00 ± 0.00"]


def test_the_code_length_is_drawn_by_layer(tmp_path: Path) -> None:
    for layer in (0, 1):
        write(tmp_path, layer=layer, seed=1, accuracy=0.9)
    names = list(report_of(tmp_path).figures)
    assert "1-score-by-layer-0-without-context" in names
    assert "1-compression-by-layer-0-without-context" in names


def test_results_without_probes_have_no_such_chapter(tmp_path: Path) -> None:
    write_run(tmp_path, encoder="none", seed=1, chance=0.5)
    write_run(tmp_path, encoder="elmo", seed=1, chance=0.9)
    assert [one.heading for one in report_of(tmp_path).chapters] == ["labels on made_up"]


def test_the_csv_file_has_code_lengths(tmp_path: Path) -> None:
    for layer in (0, 1):
        write(tmp_path, layer=layer, seed=2, accuracy=0.9)
    write(tmp_path, layer=1, seed=2, accuracy=0.3, control=7)
    found = runs_table(gathered(read_records(tmp_path)))
    assert found["code_length.bits"].tolist()[:2] == [6000.0] * 2
    assert found["code_length.compression"].fillna(-1).tolist() == [2.0, 4.0, -1]
