"""Records of somebody else: they run no code, and their names are shown as text in every format."""

import csv
import json
import logging
import re
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.analysis.report.latex import latex_text
from harness.analysis.report.markdown import brief
from harness.analysis.report.printable import printable
from harness.analysis.report.settings import gathered, read_records
from harness.commands.compare import main as compare_main
from harness.commands.report import main
from harness.errors import DataFormatError
from harness.runs.record import read_record
from tests.support.reports import write_run

HOSTILE = (
    "=cmd|'/C calc'!A1",
    "@SUM(1+1)",
    "-1+1",
    "a\nb\n\n\\input{/etc/passwd}",
    "a\r% \x1b[2Jb\x00\u2028c\u202e",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://example.org/pixel.png)",
    "a | b \\| c",
    "&lt;b&gt; & `code`",
    "_a_ *b* c_d",
    "\ud83d half of a pair",
)


def hostile_results(folder: Path) -> Path:
    """Write runs whose names, classes and options are hostile."""
    for number, text in enumerate(HOSTILE):
        values: dict[str, Any] = {"name": f"{text}-s1", "setting": str(number), "config": {"task": {"x": text}}}
        sizes = {"train": 5, "dev": 20, "test": 20}
        values["data"] = {"name": text, "sizes": sizes, "sha256": {"test": f"{number:x}" * 64}}
        weights = {text: [0.5, 0.5], "b": [0.2, 0.8]}
        values["mixing"] = {"weights": weights, "gamma": dict.fromkeys(weights, 1.0)}
        values["environment"] = {"revision": text, "python": text, "packages": {text: text}, "gpu": text}
        run = write_run(folder / str(number), encoder="elmo", seed=1, chance=0.5, examples=20, **values)
        record = json.loads((run / "record.json").read_text())
        record["encoder"] = {"name": text, "fingerprint": text}
        for split in ("dev", "test"):
            named = {f"{text}/{metric}": 0.5 for metric in ("f1", "precision")}
            record["metrics"][split] |= named | {f"confusion/{text}/{text}": 0.5}
        (run / "record.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    results = hostile_results(folder / "results")
    assert main([str(results), "--out", str(folder / "out"), "--rounds", "9"]) == 0
    return folder / "out"


def test_a_record_runs_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even if it names a plug-in that is as powerful as ``os``."""
    mark = tmp_path / "was_here"
    task = {"_target_": "os.system", "command": f"touch {mark}"}
    config = {"task": task, "plugins": ["os"], "encoder": task, "tracking": task, "trainer": {"optimizer": task}}
    folders = [
        str(write_run(tmp_path / name, encoder=name, seed=1, chance=chance, config=config))
        for name, chance in (("none", 0.5), ("elmo", 0.9))
    ]
    assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--rounds", "9"]) == 0
    assert compare_main([*folders, "--rounds", "9"]) == 0
    assert "over examples: p = " in capsys.readouterr().out
    assert not mark.exists()


def test_a_spreadsheet_takes_no_cell_for_a_formula(report: Path) -> None:
    for name in ("report.csv", "comparisons.csv"):
        with (report / name).open(newline="") as file:
            rows = list(csv.reader(file))
        assert len({len(row) for row in rows}) == 1
        for cell in (cell for row in rows for cell in row):
            assert not cell.startswith(("=", "+", "@"))
            assert not cell.startswith("-") or float(cell) < 0
    assert "'=cmd|'/C calc'!A1" in (report / "report.csv").read_text()


def test_latex_keeps_every_name_on_its_line(report: Path) -> None:
    text = (report / "report.tex").read_text()
    assert r"\input" not in text
    comments = [line for line in text.splitlines() if line.startswith("%")]
    assert len(comments) == 1 + 2 * len(HOSTILE)  # the packages; of each chapter, the headline and the note on weights
    assert sum(line.startswith("% Weights are not importance") for line in comments) == len(HOSTILE)
    assert latex_text("a\n\nb\x00") == "a b"


def test_markdown_shows_no_html_and_no_picture(report: Path) -> None:
    text = (report / "report.md").read_text()
    assert not re.search(r"(?<!\\)<(script|img)", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert r"\&lt;b\&gt; & \`code\`" in text
    assert r"\_a\_ \*b\* c_d" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):  # a table: each line has the same number of cells
            assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in block.splitlines()}) == 1


def test_no_file_has_a_character_that_a_terminal_obeys(report: Path) -> None:
    for path in (path for path in report.rglob("*") if path.is_file() and path.suffix != ".parquet"):
        assert all(one.isprintable() or one == "\n" for one in path.read_text(encoding="utf-8")), path


def test_the_page_and_the_drawings_have_no_element_of_a_name(report: Path) -> None:
    page = (report / "report.html").read_text()
    assert not re.search(r"<script|<img|onerror=alert\(1\)>", page)
    drawings = list((report / "figures").iterdir())
    assert len(drawings) >= 3 * len(HOSTILE)
    for path in drawings:
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert tags <= {"svg", "style", "rect", "g", "line", "text", "title", "circle", "polyline", "polygon"}


def test_the_printed_table_is_one_line_per_setting(tmp_path: Path) -> None:
    results = gathered(read_records(hostile_results(tmp_path)))
    lines = brief(results).splitlines()
    assert len(lines) == 4 + len(HOSTILE)
    assert all(line.isprintable() for line in lines)


def test_no_name_moves_the_cursor_of_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, (encoder, dev) in enumerate({"none": "a", "elmo": "b"}.items()):  # other dev data, which a note says
        name = {"name": "x\n\x1b[31m", "sizes": {"test": 200}, "sha256": {"dev": dev, "test": "c"}}
        write_run(tmp_path, encoder=encoder, seed=1, chance=0.1 + 0.8 * seed, data=name)
    for words in ([str(tmp_path), "--list"], [str(tmp_path)]):
        assert main(words) == 0
    assert compare_main(["1", "2", "--dir", str(tmp_path), "--rounds", "9"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("the dev data are not the same") == 3
    assert "\x1b" not in shown
    assert "x [31m" in shown


def test_no_name_ends_a_comment_of_the_printed_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People paste these lines into a shell."""
    text = "x\ntouch was_here\r\x85#"
    environment = {"overrides": ["seed=1\ntouch was_here"], "revision": text, "python": text, "packages": {text: text}}
    run = write_run(tmp_path, encoder="elmo", seed=1, chance=0.9, environment={**environment, "processor": text})
    record = json.loads((run / "record.json").read_text())
    (run / "record.json").write_text(json.dumps(record | {"name": text, "identity": text}))
    assert main(["--rerun", str(run)]) == 0
    comments, command = capsys.readouterr().out.rsplit("python -m harness", 1)
    assert all(line.startswith("# ") for line in comments.splitlines())
    assert shlex.split(command) == ["seed=1\ntouch was_here", "results_dir=repeated"]


def test_printable() -> None:
    assert printable("a\t b\n\x1b[2J\u202ec\ud83d") == "a b [2J c"
    assert printable("± é 漢 −") == "± é 漢 −"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("metrics", {}),
        ("metrics", {"dev": {"accuracy": 0.5}}),
        ("metrics", {"dev": {"accuracy": 0.5}, "test": {"f1": 0.5}}),
        ("metrics", {"dev": {"accuracy": 0.5}, "test": {"accuracy": 0.5, "x": float("nan")}}),
        ("metrics", {"dev": {"accuracy": float("inf")}, "test": {"accuracy": 0.5}}),
        ("primary_metric", ""),
    ],
)
def test_a_finished_run_without_scores_is_no_record(tmp_path: Path, key: str, value: Any) -> None:
    run = write_run(tmp_path, encoder="elmo", seed=1, chance=0.9)
    record = json.loads((run / "record.json").read_text())
    (run / "record.json").write_text(json.dumps(record | {key: value}))
    with pytest.raises(
        DataFormatError, match=r"record\.json: not a complete record \(metrics\.(dev|test)\..* is no number"
    ):
        read_record(run / "record.json")
    (run / "record.json").write_text(json.dumps(record | {key: value, "status": "failed"}))
    assert read_record(run / "record.json").status == "failed"


@pytest.mark.parametrize("weights", [{}, {"input": []}, {"input": [1.0]}, {"input": [float("nan")] * 3}])
def test_weights_that_cannot_be_drawn_are_left_out(tmp_path: Path, weights: Any) -> None:
    write_run(tmp_path, encoder="elmo", seed=1, chance=0.9)
    write_run(tmp_path, encoder="elmo", seed=2, chance=0.9, mixing={"weights": weights, "gamma": {}})
    assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--rounds", "9"]) == 0
    assert not (tmp_path / "out" / "figures" / "1-mix-weights.svg").exists()


def test_without_the_size_of_the_training_data_no_score_is_drawn_by_size(tmp_path: Path) -> None:
    write_run(tmp_path / "a", encoder="elmo", seed=1, chance=0.9)
    for fraction, sizes in ((0.5, {"train": 0, "dev": 200, "test": 200}), (0.2, {"dev": 200, "test": 200})):
        data = {"name": "made_up", "sizes": sizes, "sha256": {"dev": "d" * 64, "test": "e" * 64}}
        write_run(tmp_path / str(fraction), encoder="elmo", seed=1, chance=0.9, fraction=fraction, data=data)
        assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--rounds", "9"]) == 0
    assert not (tmp_path / "out" / "figures" / "1-score-by-training-examples.svg").exists()


@pytest.mark.parametrize(
    "content", ['{"dev/accuracy": NaN}\n', "{", '{"epoch": 1}\n', '{"dev/accuracy": "x"}\n', "[" * 100_000, "1" * 5000]
)
def test_a_damaged_history_leaves_out_a_curve(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str) -> None:
    damaged = write_run(tmp_path / "a", encoder="elmo", seed=1, chance=0.9)
    write_run(tmp_path / "b", encoder="none", seed=1, chance=0.5)
    (damaged / "history.jsonl").write_text(content)
    with caplog.at_level(logging.WARNING):
        assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--rounds", "9"]) == 0
    assert f"no learning curve of setting 2: {damaged}/history.jsonl" in caplog.text
    assert (tmp_path / "out" / "figures" / "1-learning-curves.svg").exists()
