"""A published number is shown next to the same cell, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.report.analysis import analyse
from harness.analysis.report.paper_numbers import DEFAULT, PublishedNumbers, published_numbers
from harness.analysis.report.parts import Wanted
from harness.analysis.report.sections.published import section
from harness.analysis.report.settings import Recorded, gathered
from harness.analysis.report.tables import Table, overview
from harness.errors import DataFormatError
from harness.runs.record import RunRecord

SIZES = {"train": 549_367, "dev": 9_842, "test": 9_824}


def record(**changes: Any) -> RunRecord:
    """Return a run of the paper's SNLI setting."""
    values: dict[str, Any] = {
        "status": "ok",
        "task": "snli",
        "name": "elmo_original-s1",
        "identity": "1",
        "setting": "a",
        "seed": 1,
        "data": {"name": "whatever", "sizes": SIZES},
        "encoder": {"name": "elmo_original"},
        "embedding": {"name": "glove_840b_300d"},
        "mixing": {"name": "scalar_mix", "placement": "both"},
        "primary_metric": "accuracy",
        "metrics": {"dev": {"accuracy": 0.89}, "test": {"accuracy": 0.885}},
        "config": {"mixing": {"lambda_": 0.001}},
    }
    return RunRecord(**(values | changes))


def numbers_for(one: RunRecord) -> tuple[str | None, str | None]:
    """Return the published numbers that are shown next to a record's dev and test scores."""
    numbers = published_numbers()
    found = [numbers.of_setting(one, split) for split in ("dev", "test")]
    return tuple(None if number is None else f"{number} {number.source}" for number in found)  # type: ignore[return-value]


def test_the_same_cell() -> None:
    assert numbers_for(record()) == ("89.5 Tables 2 and 3", "88.7 ± 0.17 Table 1")
    assert numbers_for(record(encoder={"name": "none"})) == ("88.1 Table 2", "88 Table 1")
    top = {"mixing": {"name": "top", "placement": "both"}, "config": {}}
    assert numbers_for(record(**top)) == ("89.1 Table 2", None)
    placed = {"mixing": {"name": "scalar_mix", "placement": "output"}}
    assert numbers_for(record(**placed)) == ("88.7 Table 3", None)


def test_word_senses_are_compared_on_four_of_the_five_sets() -> None:
    """Over all five, the primary metric, the paper has no score."""
    senses = {
        "task": "wsd",
        "data": {"name": "wsd", "sizes": {"train": 36_298, "dev": 120, "test": 1_093}},
        "embedding": {"name": "none"},
        "mixing": {"name": "layer2", "placement": "input"},
        "primary_metric": "f1",
        "metrics": {"dev": {"f1": 0.5}, "test": {"f1": 0.68, "f1_without_semeval2007": 0.69}},
    }
    assert numbers_for(record(**senses)) == (None, "69 Table 5")
    first = next(number for number in published_numbers().of_data(record(**senses), "test") if not number.where)
    assert (first.system, first.value, first.metric) == ("WordNet's first sense", 65.9, "f1_without_semeval2007")


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "ner"},
        {"encoder": {"name": "elmo_mini"}},
        {"encoder": {"name": "elmo_5_5b"}},
        {"embedding": {"name": "static_mini"}},
        {"mixing": {"name": "mean", "placement": "both"}},
        {"data": {"name": "snli", "sizes": SIZES | {"train": 54_937}}},
        {"data": {"name": "snli", "sizes": SIZES | {"dev": 9_841, "test": 9_823}}},
        {"data": {"name": "snli"}},
        {"metrics": {"dev": {"f1": 0.5}, "test": {"f1": 0.5}}},
    ],
    ids=str,
)
def test_another_cell_has_no_number(changes: dict[str, Any]) -> None:
    assert numbers_for(record(**changes)) == (None, None)


def test_semantic_roles_are_recognised_by_the_number_of_test_predicates() -> None:
    srl = {
        "task": "srl",
        "data": {"name": "x", "sizes": {"train": 1, "dev": 2, "test": 25_624}},
        "metrics": {"dev": {"f1": 0.8}, "test": {"f1": 0.8}},
        "config": {"task": {"head": "deep_bilstm"}},
    }
    assert numbers_for(record(**srl, mixing={"name": "scalar_mix", "placement": "input"})) == (None, "84.6 Table 1")
    baseline = {"encoder": {"name": "none"}, "embedding": {"name": "glove_6b_100d"}}
    assert numbers_for(record(**srl, **baseline)) == (None, "81.4 Table 1")
    small = srl | {"config": {"task": {"head": "bilstm"}}}
    assert numbers_for(record(**small, **baseline)) == (None, None)


def test_the_difference_is_computed_from_the_mean() -> None:
    two = [record(), record(seed=2, metrics={"dev": {"accuracy": 0.90}, "test": {"accuracy": 0.895}})]
    other = record(setting="b", name="elmo_mini-s1", encoder={"name": "elmo_mini"})
    table = overview(gathered([Recorded(one, Path()) for one in (*two, other)]), published_numbers())
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    by_encoder = {row["encoder"]: row for row in rows}
    assert by_encoder["elmo_original"]["published test"] == "88.7 ± 0.17 (Table 1)"
    places = [i for i, name in enumerate(table.columns) if name == "difference"]
    (ours,) = (row for row in table.rows if "elmo_original" in row)
    assert [ours[i] for i in places] == ["+0.00", "+0.30"]
    assert by_encoder["elmo_mini"]["published dev"] == by_encoder["elmo_mini"]["published test"] == ""


def test_without_published_numbers_there_is_no_column() -> None:
    results = gathered([Recorded(record(encoder={"name": "elmo_mini"}), Path())])
    assert not [name for name in overview(results, published_numbers()).columns if "published" in name]


def test_systems_are_listed_if_the_examples_are_the_same() -> None:
    wnut = record(
        task="ner",
        data={"name": "x", "sizes": {"train": 339, "dev": 1_009, "test": 1_287}},
        primary_metric="f1",
        metrics={"dev": {"f1": 0.3}, "test": {"f1": 0.2}},
    )
    numbers = published_numbers()
    table = published(wnut, numbers)
    assert table is not None
    assert [row[3] for row in table.rows] == ["41.86", "39.98", "38.35"]
    assert published(record(task="pos"), numbers) is None


def published(one: RunRecord, numbers: PublishedNumbers) -> Table | None:
    (block,) = gathered([Recorded(one, Path())]).blocks
    part = section(analyse(block, split="test", rounds=0, seed=0, baseline=None), Wanted(numbers))
    return None if part is None else part.tables[0]


def test_the_numbers_are_those_of_the_paper() -> None:
    """The values of Table 1, copied a second time: (data, baseline, with ELMo)."""
    printed = {
        "squad": None,  # its test set is hidden
        "snli": (88.0, 88.7),
        "ontonotes_srl": (81.4, 84.6),
        "conll2012_coref": (67.2, 70.4),
        "conll2003": (90.15, 92.22),
        "sst5": (51.4, 54.7),
    }
    numbers = published_numbers().numbers
    for data, expected in printed.items():
        cells = [n for n in numbers if n.data == data and n.split == "test" and n.where]
        assert tuple(n.value for n in cells) == (expected or ())
        assert all(n.source == "Table 1" for n in cells)


def test_every_number_has_a_source_and_no_cell_occurs_twice() -> None:
    numbers = published_numbers().numbers
    assert all(number.source and 0 < number.value < 100 for number in numbers)
    cells = [(n.data, n.split, n.metric, str(sorted(n.where.items()))) for n in numbers if n.where]
    assert len(cells) == len(set(cells))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("data: {", "not a file of published numbers"),
        ("[" * 5000, "not a file of published numbers"),
        ("data: 2020-99-99", "not a file of published numbers"),
        ("\0", "holds a zero byte"),
        ("data: {}", "'numbers'"),
        ("data: {x: {tsk: ner}}\nnumbers: []", "tsk: there is no such option; did you mean 'task'?"),
        (
            "data: {}\nnumbers: [{data: x, split: test, metric: f1, value: 1, source: s, system: me}]",
            "me: 'x' is not listed under 'data', or 'test' is neither dev nor test",
        ),
    ],
)
def test_an_error_in_the_file_is_reported_in_one_line(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "numbers.yaml"
    path.write_text(text)
    with pytest.raises(DataFormatError) as error:
        published_numbers(path)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_the_error_for_a_missing_file_names_the_option_none() -> None:
    assert DEFAULT.exists()
    with pytest.raises(DataFormatError, match="use --published none"):
        published_numbers(Path("nowhere.yaml"))
