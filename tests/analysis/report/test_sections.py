"""What a report says: the first sentence, ties, the plots of each kind of sweep, and the number of open rows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.report.analysis import Analysis, analyse
from harness.analysis.report.headline import headline
from harness.analysis.report.parts import Wanted
from harness.analysis.report.sections import layer_use, learning_curves, scores, sweeps
from harness.analysis.report.settings import gathered, read_records
from harness.commands.compare import main as compare
from harness.commands.report import main
from tests.support.reports import write_run

NOISE = (0.0, 0.004, -0.004)

NOT_TESTED = (
    "No difference between settings is tested, because fewer than two seeds are common, or the difference is the same "
    "with every seed."
)


def write(folder: Path, key: str, score: float, *, encoder: str = "elmo", seeds: int = 3, **mixing: Any) -> None:
    """Write runs of one setting with given scores: every seed adds its part of the noise, which settings share."""
    data = mixing.pop("data", {"fraction": 1.0})
    for seed in range(1, seeds + 1):
        config = {"task": {}, "encoder": {"name": encoder}, "mixing": mixing, "data": data, "seed": seed}
        known = {"name": mixing.get("name", "scalar_mix"), "placement": mixing.get("placement", "input")}
        weights = {"input": [0.5, 0.3, 0.2]} if encoder != "none" else {}
        run = write_run(
            folder / f"{key}-{seed}",
            encoder=encoder,
            seed=seed,
            chance=0.5,
            examples=20,
            setting=key,
            identity=f"{key}{seed}",
            config=config,
            mixing={**known, "weights": weights, "gamma": dict.fromkeys(weights, 1.0)},
        )
        record = json.loads((run / "record.json").read_text())
        for split in ("dev", "test"):
            record["metrics"][split]["accuracy"] = score + NOISE[seed - 1] + 0.0007 * (seed == 2) * len(key)
        (run / "record.json").write_text(json.dumps(record))
        (run / "counts.json").unlink()


def analysed(folder: Path, baseline: int | str | None = None) -> Analysis:
    (block,) = gathered(read_records(folder)).blocks
    return analyse(block, split="test", rounds=0, seed=0, baseline=baseline)


def test_the_first_sentence_names_the_best_its_ties_and_what_is_below(tmp_path: Path) -> None:
    write(tmp_path, "none", 0.5, encoder="none")
    write(tmp_path, "top", 0.799, name="top")
    write(tmp_path, "scalar_mix", 0.80)
    write(tmp_path, "mean", 0.65, name="mean")
    found = analysed(tmp_path)
    assert [one.label for one in found.ties] == ["elmo, top"]
    assert re.fullmatch(
        r"elmo, scalar_mix is best on dev, 80\.\d\d ± 0\.\d\d "
        r"\(accuracy in percent, 3 seeds; 80\.\d\d ± 0\.\d\d on test\)\. "
        r"On test, it is not separable from elmo, top; it is above elmo, mean \(p < 0\.0\d+\)\. "
        r"Both are above static vectors \(p < 0\.0\d+\)\.",
        headline(found),
    )
    table = scores.section(found, Wanted())
    assert table is not None
    (settings,) = table.tables
    test = {row[0]: row[settings.main or 0] for row in settings.rows}
    assert [number for number, cell in test.items() if cell.endswith("≈")] == [str(found.ties[0].number)]
    assert {settings.rows[i][0] for i, _ in settings.bold} == {str(found.best.number)}


def test_the_first_sentence_names_one_of_several_best_settings_as_the_compared_one(tmp_path: Path) -> None:
    write(tmp_path, "none", 0.5, encoder="none")
    for key in ("left-1", "deep-1"):  # keys of one length have the same scores
        write(tmp_path, key, 0.80, name=key.partition("-")[0])
    said = headline(analysed(tmp_path))
    best, other = ("elmo, deep", "elmo, left") if said.startswith("elmo, deep") else ("elmo, left", "elmo, deep")
    assert said.startswith(f"{best} and {other} are best on dev, ")
    assert f" On test, {best} is not separable from {other}. " in said


def test_a_difference_that_is_the_same_with_every_seed_is_not_called_a_tie(tmp_path: Path) -> None:
    write(tmp_path, "left", 0.5, encoder="none")
    write(tmp_path, "deep", 0.9)  # keys of one length have the same noise
    found = analysed(tmp_path)
    assert not found.ties
    assert headline(found).endswith(NOT_TESTED)


def test_the_first_sentence_says_which_baseline_the_best_is_compared_with(tmp_path: Path) -> None:
    """Two fractions of the data have two baselines; the best setting's own one is in its own sentence only."""
    for share, score in ((1.0, 0.6), (0.1, 0.4)):
        write(tmp_path, f"none{share}", score, encoder="none", data={"fraction": share})
        write(tmp_path, f"elmo-{share:.0%}", score + 0.1, data={"fraction": share})
    said = headline(analysed(tmp_path))
    assert "it is above every other setting except its baseline (p < 0." in said
    assert "It is above its baseline, static vectors, fraction 1 (p < 0." in said
    assert said.endswith(
        "Of 2 settings, 2 are above a baseline. Of the baselines (static vectors, fraction 0.1; static vectors, "
        "fraction 1), each is compared with the one that is most like it."
    )
    write(tmp_path, "none2", 0.9, encoder="none", data={"fraction": 0.5})
    assert "It is itself a baseline." in headline(analysed(tmp_path))


def test_settings_without_common_seeds_are_counted_and_not_among_every_other(tmp_path: Path) -> None:
    write(tmp_path, "none", 0.5, encoder="none")
    write(tmp_path, "elmo-1", 0.8)
    write(tmp_path, "mean", 0.6, name="mean")
    write(tmp_path, "top", 0.7, name="top", seeds=1)
    said = headline(analysed(tmp_path))
    assert re.search(r"On test, it is above elmo, mean \(p < 0\.0\d+\)\. With 1 setting, it is not compared", said)


def test_the_best_baseline_is_not_compared_with_itself(tmp_path: Path) -> None:
    write(tmp_path, "none", 0.8, encoder="none")
    write(tmp_path, "top-123456", 0.7985, name="top")
    write(tmp_path, "worse", 0.4, name="worse")
    said = headline(analysed(tmp_path))
    assert "static vectors is best on dev" in said
    assert re.search(r"it is not separable from elmo, top; it is above elmo, worse \(p < 0\.0\d+\)\.$", said)


def test_a_pair_that_is_not_tested_is_not_judged(tmp_path: Path) -> None:
    write(tmp_path, "none", 0.5, encoder="none")
    write(tmp_path, "top", 0.6, name="top")
    write(tmp_path, "one", 0.9, name="one", seeds=1)
    said = headline(analysed(tmp_path))
    assert "With 2 settings, it is not compared, because fewer than two seeds are common" in said
    assert said.endswith(" or the difference is the same with every seed.")


def test_names_are_in_the_order_of_their_means_whatever_the_number_of_seeds(tmp_path: Path) -> None:
    write(tmp_path, "best-1", 0.9)
    write(tmp_path, "near-1234567", 0.8980, name="near")  # if no setting ties, none is named
    write(tmp_path, "high", 0.7, name="high", seeds=2)
    for key in ("low-1", "low-333", "low-4444", "low-55555"):
        write(tmp_path, key, 0.3 + 0.001 * len(key), name=key)
    assert "above high; low-55555; low-4444 and 2 others" in headline(analysed(tmp_path, "nobody"))


def test_with_one_seed_nothing_is_claimed(tmp_path: Path) -> None:
    write(tmp_path, "none", 0.5, encoder="none", seeds=1)
    write(tmp_path, "elmo", 0.8, seeds=1)
    found = analysed(tmp_path)
    assert headline(found).endswith(f"1 seed; 80.00 on test). {NOT_TESTED}")
    assert found.ties == []


def test_a_single_setting_is_not_called_the_best(tmp_path: Path) -> None:
    write(tmp_path, "elmo", 0.8)
    assert headline(analysed(tmp_path)).startswith("elmo has 80.")


def test_the_baseline_is_static_vectors_and_may_be_another(tmp_path: Path) -> None:
    write(tmp_path, "none", 0.5, encoder="none")
    write(tmp_path, "top", 0.7, name="top")
    write(tmp_path, "scalar_mix", 0.80)
    assert [(pair.a.label, pair.b.label) for pair in analysed(tmp_path).with_baseline] == [
        ("static vectors", "elmo, scalar_mix"),
        ("static vectors", "elmo, top"),
    ]
    for wanted in ("top", 3):
        found = analysed(tmp_path, wanted)
        assert {pair.a.label for pair in found.with_baseline} == {"elmo, top"}
        assert len(found.pairs) == 3
    for of_no_setting in (9, "lambda"):
        assert {pair.a.label for pair in analysed(tmp_path, of_no_setting).with_baseline} == {"static vectors"}


@pytest.mark.parametrize(
    ("title", "settings"),
    [
        ("Score by layer (0: without context)", [{"name": f"layer{i}", "index": i} for i in range(3)]),
        ("Score by lambda", [{"lambda_": value} for value in (0.0, 0.001, 1)]),
        ("Score by placement", [{"placement": place} for place in ("input", "output", "both")]),
        ("Score by fraction of the training data", [{"data": {"fraction": part}} for part in (0.01, 0.1, 1.0)]),
    ],
)
def test_each_kind_of_sweep_has_its_plot(title: str, settings: list[dict[str, Any]], tmp_path: Path) -> None:
    write(tmp_path, "none", 0.5, encoder="none")
    for i, options in enumerate(settings):
        write(tmp_path, str(i), 0.6 + 0.05 * i, seeds=1, **options)
    part = sweeps.section(analysed(tmp_path), Wanted())
    assert part is not None
    (figure,) = part.figures
    assert figure.title == title
    lines = re.findall(r'polyline class="line" points="([^"]+)"', figure.drawing)
    heights = [float(point.split(",")[1]) for point in lines[0].split()]
    assert len(heights) == 3
    assert heights == sorted(heights, reverse=True)
    assert ("static vectors" in figure.drawing) is ("fraction" not in title)  # it has a fraction, but no line


def test_curves_of_many_settings_are_small_panels(tmp_path: Path) -> None:
    for i in range(30):
        write(tmp_path, str(i), 0.5 + 0.01 * i, seeds=1, encoder=f"encoder{i}")
    part = learning_curves.section(analysed(tmp_path), Wanted())
    assert part is not None
    assert "The first 24 of 30 settings." in part.figures[0].note
    assert part.figures[0].drawing.count('<polygon class="band"') == 24


def test_only_learned_mixes_have_weights(tmp_path: Path) -> None:
    write(tmp_path, "none", 0.5, encoder="none")
    write(tmp_path, "elmo", 0.6)
    assert layer_use.section(analysed(tmp_path), Wanted()) is not None
    for path in tmp_path.glob("elmo*/*/*/record.json"):
        record = json.loads(path.read_text())
        record["mixing"]["weights"] = {"input": [0.0, 1.0, 0.0], "output": [1 / 3] * 3}
        path.write_text(json.dumps(record))
    assert layer_use.section(analysed(tmp_path), Wanted()) is None


def test_never_more_than_fifty_rows_are_open(tmp_path: Path) -> None:
    for i in range(55):
        write(tmp_path, str(i), 0.5 + 0.001 * i, seeds=1, encoder=f"encoder{i}")
    assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--rounds", "0"]) == 0
    text = (tmp_path / "out" / "report.html").read_text()
    shown = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert max(len(re.findall("<tr>", table)) for table in re.findall(r"<table>.*?</table>", shown, re.DOTALL)) == 51
    assert "5 more rows" in text
    assert len(re.findall(r"\\toprule", (tmp_path / "out" / "report.tex").read_text())) >= 4  # two pages each


def test_compare_takes_the_numbers_of_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "none", 0.5, encoder="none")
    write(tmp_path, "elmo", 0.8)
    assert main([str(tmp_path), "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["1", "2"]
    assert compare(["1", "2", "--dir", str(tmp_path), "--rounds", "9"]) == 0
    shown = capsys.readouterr().out
    assert "A: setting 1, static vectors\nB: setting 2, elmo\n" in shown
    assert "B - A: +30.0" in shown
    assert compare(["1", "3", "--dir", str(tmp_path)]) == 2
    assert "has no setting 3; it has 1 to 2" in capsys.readouterr().err


def test_numbers_of_settings_are_those_of_the_same_choice_of_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the runs on a tenth, the settings with all of the data have the numbers 1 and 2."""
    for share in (0.1, 1.0):
        write(tmp_path, f"none{share}", 0.5, encoder="none", data={"fraction": share})
        write(tmp_path, f"elmo{share}", 0.8, data={"fraction": share})
    assert compare(["1", "2", "--dir", str(tmp_path), "--only", "data.fraction=1"]) == 0
    assert "A: setting 1, static vectors\nB: setting 2, elmo\n" in capsys.readouterr().out
    assert compare(["1", "3", "--dir", str(tmp_path), "--only", "data.fraction=1"]) == 2
    assert "it has 1 to 2; see python -m harness report" in capsys.readouterr().err
