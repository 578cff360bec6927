"""The report: its table computed by hand, its comparisons, and its files read with other tools."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.analysis.report.latex import latex, latex_text
from harness.analysis.report.tables import Table, p_value
from harness.commands.report import main
from tests.support.reports import write_results, write_run

FILES = ["comparisons.csv", "report.csv", "report.html", "report.md", "report.tex", "settings.csv"]
ELMO, HALF, NONE = "elmo, fraction 1", "elmo, fraction 0.5", "static vectors"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(tmp_path / "results")
    assert main([str(tmp_path / "results")]) == 0
    shown = capsys.readouterr().out
    assert "labels, made_up, accuracy; scores in percent" in shown
    assert len(re.findall(r"│ \d │ (?:elmo|none) +│ (?:0\.5|1) +│ 3 │ +\d\d\.\d\d ± ", shown)) == 3
    assert main([str(tmp_path / "results"), "--list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"   {i}  labels on made_up: {label}" for i, label in enumerate((NONE, HALF, ELMO), start=1)
    ]
    assert main([str(tmp_path / "results"), "--only", "data.fraction=1", "encoder=elmo"]) == 0
    assert capsys.readouterr().out.count(" │ 3 │") == 1
    assert main([str(tmp_path / "nothing")]) == 2
    assert "no readable record.json below it; give the results folder" in capsys.readouterr().err
    for wrong in ([], [str(tmp_path), "--rerun", "x"]):
        with pytest.raises(SystemExit) as exit_:
            main(wrong)
        assert exit_.value.code == 2


def test_what_is_left_out_is_said_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(tmp_path / "results")
    damaged = next((tmp_path / "results").glob("**/record.json"))
    damaged.write_text("{")
    results, words = str(tmp_path / "results"), "A run is left out, because this file cannot be read: "
    assert main([results, "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{words}{damaged}"
    assert main([results, "--out", str(tmp_path / "out"), "--rounds", "0"]) == 0
    assert " ".join(capsys.readouterr().out.split()).count(words) == 1
    for name in ("report.md", "report.html", "report.tex"):
        assert (tmp_path / "out" / name).read_text().count(words) == 1
    assert f"\n% {words}{damaged}\n" in (tmp_path / "out" / "report.tex").read_text()  # a comment


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a whole report of generated results; the results are in the folder next to it."""
    folder = tmp_path_factory.mktemp("report")
    write_results(folder / "results")
    assert main([str(folder / "results"), "--out", str(folder / "out"), "--rounds", "500"]) == 0
    return folder / "out"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_format_is_written(report: Path) -> None:
    assert sorted(path.name for path in report.iterdir() if path.suffix != ".parquet" and path.is_file()) == FILES


def test_each_figure_is_a_file_with_its_legend(report: Path) -> None:
    files = sorted((report / "figures").iterdir())
    assert [path.name for path in files if "confusion" not in path.name] == [
        "1-learning-curves.svg",
        "1-mix-weights.svg",
        "1-score-by-training-examples.svg",
        "1-scores-on-test.svg",
    ]
    for path in files:
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg", path
    assert f"{NONE}</text>" in (report / "figures" / "1-scores-on-test.svg").read_text()


def test_the_csv_file_has_the_weights_of_mixes(report: Path) -> None:
    weights = {row["encoder"]: row["weight.input.1"] for row in rows_of(report / "report.csv")}
    assert weights == {"none": "", "elmo": "0.3"}


def test_the_aggregates_hold_every_metric_unrounded(report: Path) -> None:
    rows = rows_of(report / "settings.csv")
    assert len(rows) == 3 * 2 * (2 + 3 * 3 + 9)
    (row,) = (r for r in rows if (r["setting"], r["split"], r["metric"]) == (NONE, "test", "accuracy"))
    runs = (report.parent / "results" / "labels").glob("none-*/predictions.jsonl")
    lines = [[line for line in path.read_text().splitlines() if '"split": "test"' in line] for path in sorted(runs)]
    right = [
        np.mean([re.search(r'"gold": (".*"), "prediction": \1', line) is not None for line in some]) for some in lines
    ]
    assert float(row["mean"]) == pytest.approx(np.mean(right))
    assert float(row["standard_deviation"]) == pytest.approx(np.std(right, ddof=1))
    width = 2 * 1.96 * np.sqrt(np.mean(right) * (1 - np.mean(right)) / 200)  # for a single seed
    assert width / 2 < float(row["high"]) - float(row["low"]) < width


def test_comparisons_have_intervals_and_p_values(report: Path) -> None:
    every = rows_of(report / "comparisons.csv")
    assert [(row["a"], row["b"]) for row in every if row["family"] == "baseline"] == [(NONE, HALF), (NONE, ELMO)]
    assert [(row["a"], row["b"]) for row in every if row["family"] == "best"] == [(ELMO, HALF)]
    rows = [row for row in every if row["family"] == "all pairs"]
    assert [(row["a"], row["b"]) for row in rows] == [(NONE, HALF), (NONE, ELMO), (HALF, ELMO)]
    for row in rows:
        assert float(row["low"]) < float(row["difference"]) < float(row["high"])
        assert float(row["p_examples"]) == pytest.approx(1 / 501)
        assert float(row["p_seeds"]) <= float(row["p_seeds_holm"]) <= 3 * float(row["p_seeds"])
    assert min(float(row["p_examples_holm"]) for row in rows) == pytest.approx(3 / 501)


def test_the_markdown_has_the_tables(report: Path) -> None:
    text = (report / "report.md").read_text()
    for heading in (
        "Settings: accuracy in percent",
        "Against static vectors: accuracy on test",
        "Seeds",
        "Classes: f1 on test",
        "Provenance",
    ):
        assert f"# {heading}" in text
    assert "| code | abc with uncommitted changes | 9 |" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_the_latex_is_balanced_and_escaped(report: Path) -> None:
    text = (report / "report.tex").read_text()
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == text.count(r"\toprule") == 5
    body = re.sub(r"\\[&%$#_{}]", "", re.sub(r"(?m)^%.*$", "", text))
    assert body.count("{") == body.count("}")
    assert body.count("$") % 2 == 0
    for spec, rows in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", body, re.DOTALL):
        for line in rows.splitlines():
            if line.endswith(r"\\"):
                assert line.count("&") == len(spec) - 1
    assert r"contra/diction \& more" in text


def test_latex_text() -> None:
    assert latex_text("a_b & 5 % of *all* < -1.2 − x") == r"a\_b \& 5 \% of *all* $<$ $-$1.2 $-$ x"
    (kept,) = latex(Table("Title", ("#", "device", "epochs"), (("1", "cpu", "7"),), text_columns=2))
    assert r"\# & device \\" in kept  # an axis of the settings is never left out
    (shown,) = latex(Table("Title", ("a", "b"), (("x", "1"),), note="Read 5 % of it."))
    assert r"\caption{Title. Read 5 \% of it.}" in shown
    assert r"\begin{tabular}{lr}" in shown


class Page(HTMLParser):
    """Check that elements are nested correctly, and collect them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_complete_and_loads_no_other_file(report: Path) -> None:
    text = (report / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    tags = [tag for tag, _ in page.seen]
    assert tags.count("svg") == 4 + 3
    assert not {"script", "link", "img", "iframe"} & set(tags)
    assert not re.search(r"https?://|url\(|@import|src=", text)
    inside = {values["id"] for _, values in page.seen if "id" in values}
    for address in (values["href"] for tag, values in page.seen if tag == "a"):
        assert address[1:] in inside if address.startswith("#") else (report / unquote(address)).is_dir(), address
    assert "prefers-color-scheme: dark" in text
    assert "contra/diction &amp; more" in text
    labels = [values["aria-label"] for tag, values in page.seen if tag == "svg"]
    assert labels[:4] == ["Scores on test", "Score by training examples", "Learning curves", "Mix weights"]


def test_numbers_in_drawings_are_numbers(report: Path) -> None:
    drawings = re.findall(r"<svg.*?</svg>", (report / "report.html").read_text(), re.DOTALL)
    assert not any(re.search(r"\b(nan|inf|None)\b", drawing) for drawing in drawings)


def test_the_report_is_reproducible(report: Path, tmp_path: Path) -> None:
    results = report.parent / "results"
    assert main([str(results), "--out", str(tmp_path), "--rounds", "500"]) == 0
    for name in FILES:
        one, other = ((folder / name).read_text().splitlines() for folder in (tmp_path, report))
        changed = [line for line in one if line not in other]
        assert all(str(tmp_path) in line or "href=" in line for line in changed), name  # the command, and links


def test_a_baseline_reduces_the_comparisons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = write_results(tmp_path / "results")
    asked = [str(results), "--out", str(tmp_path), "--rounds", "50", "--baseline"]
    for wanted in ("static", "1"):
        assert main([*asked, wanted]) == 0
        rows = [row for row in rows_of(tmp_path / "comparisons.csv") if row["family"] == "baseline"]
        assert [row["a"] for row in rows] == [NONE, NONE]
    other = {"name": "other", "sizes": {"train": 9, "dev": 200, "test": 200}, "sha256": {"test": "a" * 64}}
    for seed in (1, 2):
        write_run(results, encoder="none", seed=seed, chance=0.5, fraction=0.1, data=other)
        write_run(results, encoder="elmo 1", seed=seed, chance=0.8, data=other)
    assert main([*asked, "1"]) == 0  # the other block has no setting 1, and its "elmo 1" is another one
    rows = [row for row in rows_of(tmp_path / "comparisons.csv") if row["family"] == "baseline"]
    assert {row["a"] for row in rows if row["data"].startswith("other")} == {"static vectors"}
    assert main([*asked, "nobody"]) == 2
    assert "--baseline nobody: not the number or part of the name of a setting: 1 static" in capsys.readouterr().err


def test_without_counts_nothing_is_tested_over_examples(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", counted=False)
    assert main([str(results), "--out", str(tmp_path / "a")]) == 0
    text = (tmp_path / "a" / "report.md").read_text()
    assert "Not tested over examples, because runs have no counts.json: settings 1, 2, 3." in text
    rows = rows_of(tmp_path / "a" / "comparisons.csv")
    assert {row["p_examples"] for row in rows} == {""}
    assert all(float(row["p_seeds"]) < 1 for row in rows)


def test_notes_say_what_cannot_be_compared(tmp_path: Path) -> None:
    results = tmp_path / "results"
    one = write_run(results, encoder="elmo", seed=1, chance=0.9)
    write_run(results, encoder="none", seed=2, chance=0.5)
    (one / "history.jsonl").unlink()
    assert main([str(results), "--out", str(tmp_path), "--rounds", "9"]) == 0
    text = (tmp_path / "report.md").read_text()
    assert "Settings 1 and 2 are not compared: the two settings share no seed" in text
    (one / "counts.json").write_text("{")
    assert main([str(results), "--out", str(tmp_path), "--rounds", "9"]) == 0
    assert f"A run of setting 2 is not compared: {one}/counts.json:1: not JSON" in (tmp_path / "report.md").read_text()


def test_other_test_data_are_another_block(tmp_path: Path) -> None:
    write_run(tmp_path / "results", encoder="none", seed=1, chance=0.5)
    other = {"name": "made_up", "sizes": {"train": 1, "dev": 200, "test": 200}, "sha256": {"test": "0" * 64}}
    write_run(tmp_path / "results", encoder="elmo", seed=1, chance=0.5, data=other)
    assert main([str(tmp_path / "results"), "--out", str(tmp_path), "--rounds", "9"]) == 0
    assert (tmp_path / "report.md").read_text().count("## labels on made_up") == 2
    assert rows_of(tmp_path / "comparisons.csv") == []


def test_scores_are_links_to_folders_and_to_pages(tmp_path: Path) -> None:
    """An address that a browser would execute is none."""
    for seed, url in enumerate(("https://wandb.ai/me/p/runs/1", "javascript:alert(1)", ""), start=1):
        write_run(tmp_path / "results", encoder="none", seed=seed, chance=0.5, url=url)
    assert main([str(tmp_path / "results"), "--out", str(tmp_path), "--rounds", "0"]) == 0
    links = re.findall(r'<a href="([^#"][^"]*)">[\d.]+</a>', (tmp_path / "report.html").read_text())
    folders = [f"results/labels/none-1.0-s{seed}/" for seed in (1, 2, 3)]
    assert links == [*folders, "https://wandb.ai/me/p/runs/1"]
    (tmp_path / "results" / "labels" / "none-1.0-s1" / "record.json").unlink()
    assert main([str(tmp_path / "results"), "--out", str(tmp_path), "--rounds", "0"]) == 0
    assert "wandb" not in (tmp_path / "report.html").read_text()


def test_columns_without_any_value_are_left_out() -> None:
    rows = [("", "", "1", "", "2"), ("x", "", "3", "", "")]
    table = Table("t", "abcde", rows, text_columns=2, bold=frozenset({(0, 4), (1, 3)}), links={(1, 2): "u"}, main=4)
    found = table.without_empty_columns()
    assert (list(found.columns), found.rows) == (["a", "b", "c", "e"], [["", "", "1", "2"], ["x", "", "3", ""]])
    assert (found.bold, found.links, found.main) == ({(0, 3)}, {(1, 2): "u"}, 3)


def test_p_values() -> None:
    assert [p_value(p) for p in (0.0001, 0.0123, 1.0, float("nan"))] == ["< 0.001", "0.012", "1.000", ""]
