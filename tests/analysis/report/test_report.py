"""The report: its table computed by hand, its comparisons, and its files read with other tools."""

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.analysis.report.latex import latex, latex_text
from harness.analysis.report.markdown import brief
from harness.analysis.report.settings import Recorded, gathered
from harness.analysis.report.tables import Table, p_value
from harness.commands.report import main
from harness.runs.record import RunRecord
from tests.support.reports import LABELS, write_results, write_run

FILES = ["comparisons.csv", "report.csv", "report.html", "report.md", "report.tex"]


def record(seed: int, test: float, *, lr: float = 0.1, status: str = "ok", name: str = "random") -> RunRecord:
    return RunRecord(
        status=status,  # type: ignore[arg-type]
        task="ner",
        name=f"{name}-s{seed}",
        identity=f"{seed}",
        setting=f"{name} {lr}",
        seed=seed,
        data={"name": "sample"},
        primary_metric="f1",
        metrics={"dev": {"f1": 0.5}, "test": {"f1": test}} if status == "ok" else {},
        epochs=3,
        parameters=1234,
        config={
            "seed": seed,
            "encoder": {"name": name},
            "trainer": {"lr": lr, "batch": 10 * lr},
            "results_dir": f"{seed}",
        },
    )


def table(*records: RunRecord) -> str:
    return brief(gathered([Recorded(one, Path()) for one in records]))


def test_mean_and_sample_deviation_over_seeds() -> None:
    lines = table(record(1, 0.40), record(2, 0.50), record(3, 0.60)).splitlines()
    assert lines[2:] == ["| ner | sample | random | f1 | 3 | 50.00 ± 0.00 | 50.00 ± 10.00 | 3.0 | 1,234 |"]


def test_labels_name_the_options_that_differ() -> None:
    """The batch size always varies with the learning rate, so only one of them is shown."""
    text = table(record(1, 0.4), record(2, 0.5), record(1, 0.7, lr=0.2), record(1, 0.3, name="none"))
    assert "| ner | sample | none trainer.lr=0.1 | f1 | 1 | 50.00 | 30.00 |" in text
    assert "| ner | sample | random trainer.lr=0.1 | f1 | 2 | 50.00 ± 0.00 | 45.00 ± 7.07 |" in text
    assert "| ner | sample | random trainer.lr=0.2 | f1 | 1 | 50.00 | 70.00 |" in text


def test_options_that_change_no_result_are_not_in_labels() -> None:
    asked = [(0.1, "one"), (0.2, "one"), (0.3, "other")]
    runs = [record(1, 0.4, lr=lr) for lr, _ in asked]
    text = table(
        *(replace(run, config={**run.config, "sweep": name}) for run, (_, name) in zip(runs, asked, strict=True))
    )
    assert "trainer.lr=0.3" in text
    assert "sweep" not in text


def determined(seed: int, test: float, name: str = "sample", **determining: Any) -> RunRecord:
    """Return a record that says what determines its result; its config has the defaults of the rest."""
    given = {"data.sha256.test": "e", "encoder.fingerprint": "f" * 20, **determining}
    config = {
        "trainer": {"lr": 0.1, "batch": 1},
        "threads": seed,
        "encoder": {"state": "zeros", "weights": f"/{seed}/w"},
    }
    setting = str(sorted(given.items()))
    data = {"name": name, "sha256": {"test": "e"}}
    return replace(record(seed, test), determining=given, setting=setting, config=config, data=data)


def test_labels_hold_what_determines_the_result_and_defaults_come_from_the_config() -> None:
    text = table(determined(1, 0.4), determined(2, 0.5, **{"trainer.lr": 0.2}), determined(3, 0.6))
    assert "| ner | sample | random trainer.lr=0.1 | f1 | 2 |" in text
    assert "| ner | sample | random trainer.lr=0.2 | f1 | 1 |" in text


def test_runs_that_differ_only_in_threads_and_paths_are_one_setting() -> None:
    assert "| ner | sample | random | f1 | 3 |" in table(*(determined(seed, 0.5) for seed in (1, 2, 3)))


def test_an_encoder_is_labelled_by_its_options_and_data_by_their_digest() -> None:
    warm = replace(determined(1, 0.4, **{"encoder.fingerprint": "a" * 20}), config={"encoder": {"state": "warm"}})
    text = table(determined(1, 0.5), warm)
    assert "| random encoder.state=warm |" in text
    assert "| random encoder.state=zeros encoder.weights=" not in text
    text = table(*(determined(1, 0.5, **{"data.sha256.train": f"{digit * 12}"}) for digit in "ab"))
    assert "| random data.sha256.train=aaaaaaaa |" in text
    text = table(determined(1, 0.5), determined(1, 0.6, **{"task.version": 2}), determined(2, 0.5, device="cuda"))
    assert {line.split(" | ")[2] for line in text.splitlines()[2:]} >= {"random task.version=2", "random device=cuda"}


def test_the_same_examples_under_two_names_are_one_block() -> None:
    """The data of a run are known by their content: files may be copies of the sample, or have moved."""
    text = table(determined(1, 0.5), determined(2, 0.6, name="my_files"))
    assert "| ner | my_files, sample | random | f1 | 2 |" in text


def test_a_record_of_version_1_is_a_setting_of_its_own() -> None:
    new = determined(1, 0.4, schema=2)
    old = replace(new, schema_version=1, determining={}, setting="of version 1")
    text = table(new, old, replace(old, setting="with other threads", config={**old.config, "threads": 4}))
    assert "| random schema=1 threads=1 |" in text
    assert "| random schema=1 threads=4 |" in text
    assert "| random schema=2 |" in text


def test_settings_with_equal_configs_are_labelled_by_their_digests() -> None:
    other = RunRecord(**(vars(record(1, 0.4)) | {"setting": "of another task version"}))
    text = table(record(1, 0.5), other)
    assert "| random [random 0.1] |" in text
    assert "| random [of another task version] |" in text


def test_failed_runs_are_counted_but_not_averaged() -> None:
    text = table(record(1, 0.4), record(2, 0.0, status="failed"))
    assert "| 1 | 50.00 | 40.00 |" in text
    assert "1 of 2 runs did not finish successfully" in text


def test_a_copy_of_a_run_is_not_a_second_seed() -> None:
    text = table(record(1, 0.4), record(1, 0.4), record(2, 0.5))
    assert "| 2 | 50.00 ± 0.00 | 45.00 ± 7.07 |" in text
    assert "1 of 3 runs are copies of others" in text


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(tmp_path / "results")
    assert main([str(tmp_path / "results")]) == 0
    assert "| labels | made_up | none data.fraction=1.0 | accuracy | 3 |" in capsys.readouterr().out
    assert main([str(tmp_path / "nothing")]) == 2
    assert "no readable record.json below it" in capsys.readouterr().err
    for wrong in ([], [str(tmp_path), "--rerun", "x"]):
        with pytest.raises(SystemExit) as exit_:
            main(wrong)
        assert exit_.value.code == 2


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
    assert sorted(path.name for path in report.iterdir() if path.is_file()) == FILES


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
    assert "none data.fraction=1.0</text>" in (report / "figures" / "1-scores-on-test.svg").read_text()


def test_the_csv_holds_every_metric_unrounded(report: Path) -> None:
    rows = rows_of(report / "report.csv")
    assert len(rows) == 3 * 2 * (2 + 3 * 3 + 9)
    (row,) = (
        r for r in rows if (r["setting"], r["split"], r["metric"]) == ("none data.fraction=1.0", "test", "accuracy")
    )
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
    rows = rows_of(report / "comparisons.csv")
    assert [(row["a"], row["b"]) for row in rows] == [
        ("elmo data.fraction=0.5", "elmo data.fraction=1.0"),
        ("elmo data.fraction=0.5", "none data.fraction=1.0"),
        ("elmo data.fraction=1.0", "none data.fraction=1.0"),
    ]
    for row in rows:
        assert float(row["low"]) < float(row["difference"]) < float(row["high"])
        assert float(row["p_examples"]) == pytest.approx(1 / 501)
        assert float(row["p_seeds"]) <= float(row["p_seeds_holm"]) <= 3 * float(row["p_seeds"])
    assert min(float(row["p_examples_holm"]) for row in rows) == pytest.approx(3 / 501)


def test_the_markdown_has_the_tables(report: Path) -> None:
    text = (report / "report.md").read_text()
    for heading in (
        "Settings: accuracy in percent",
        "Comparisons: accuracy",
        "Seeds",
        "Classes: f1 on test",
        "Provenance",
    ):
        assert f"# {heading}" in text
    assert text.count("### Confusion of setting") == 3
    assert "| code | abc with uncommitted changes | 9 |" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_confusion_rows_add_up_to_a_hundred(report: Path) -> None:
    part = (report / "report.md").read_text().split("### Confusion of setting 1 on test")[1].split("\n\n")[1]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines()[2:]]
    assert [row[0] for row in rows] == list(LABELS)
    for row in rows:
        assert sum(map(float, row[1:])) == pytest.approx(100, abs=0.2)


def test_the_latex_is_balanced_and_escaped(report: Path) -> None:
    text = (report / "report.tex").read_text()
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == text.count(r"\toprule") == 7
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
    shown = latex(Table("Title", ("a", "b"), (("x", "1"),), note="Read 5 % of it."))
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
        if tag != "meta":
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
    assert not re.search(r"https?://|url\(|@import|src=|href=", text)
    assert "prefers-color-scheme: dark" in text
    assert "contra/diction &amp; more" in text
    labels = [values["aria-label"] for tag, values in page.seen if tag == "svg"]
    assert labels[:4] == ["Scores on test", "Learning curves", "Score by training examples", "Mix weights"]


def test_numbers_in_drawings_are_numbers(report: Path) -> None:
    drawings = re.findall(r"<svg.*?</svg>", (report / "report.html").read_text(), re.DOTALL)
    assert not any(re.search(r"\b(nan|inf|None)\b", drawing) for drawing in drawings)


def test_the_report_is_reproducible(report: Path, tmp_path: Path) -> None:
    results = report.parent / "results"
    assert main([str(results), "--out", str(tmp_path), "--rounds", "500"]) == 0
    for name in FILES:
        assert (tmp_path / name).read_text() == (report / name).read_text()


def test_a_baseline_reduces_the_comparisons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = write_results(tmp_path / "results")
    asked = [str(results), "--out", str(tmp_path), "--rounds", "50", "--baseline"]
    assert main([*asked, "none"]) == 0
    assert {row["a"] for row in rows_of(tmp_path / "comparisons.csv")} == {"none data.fraction=1.0"}
    assert len(rows_of(tmp_path / "comparisons.csv")) == 2
    assert main([*asked, "nobody"]) == 2
    assert "--baseline nobody: not part of any setting's label: elmo" in capsys.readouterr().err


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
    assert f"A run of setting 1 is not compared: {one}/counts.json:1: not JSON" in (tmp_path / "report.md").read_text()


def test_other_test_data_are_another_block(tmp_path: Path) -> None:
    write_run(tmp_path / "results", encoder="none", seed=1, chance=0.5)
    other = {"name": "made_up", "sizes": {"train": 1, "dev": 200, "test": 200}, "sha256": {"test": "0" * 64}}
    write_run(tmp_path / "results", encoder="elmo", seed=1, chance=0.5, data=other)
    assert main([str(tmp_path / "results"), "--out", str(tmp_path), "--rounds", "9"]) == 0
    assert (tmp_path / "report.md").read_text().count("## labels on made_up") == 2
    assert rows_of(tmp_path / "comparisons.csv") == []


def test_p_values() -> None:
    assert [p_value(p) for p in (0.0001, 0.0123, 1.0, float("nan"))] == ["< 0.001", "0.012", "1.000", ""]
