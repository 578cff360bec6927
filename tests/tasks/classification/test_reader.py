"""Examples from tables of one's own: what becomes a token and a label, and one line for every wrong value."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataFormatError
from harness.types import Example
from harness.utils.tokenizers import tokenizer_named
from tasks.classification.reader import TextColumns, read_examples


def read(
    path: Path, content: str, *, tokenizer: str = "whitespace", labelled: bool = True, **columns: Any
) -> list[Example]:
    path.write_text(content)
    return read_examples(
        path, TextColumns(**columns), tokenize=tokenizer_named(tokenizer), prefix="train", labelled=labelled
    )


def test_a_text_and_its_label(tmp_path: Path) -> None:
    assert read(tmp_path / "x.csv", "label,text\n yes ,A  b.\nno,c\n") == [
        Example(id="train-0", texts={"tokens": ("A", "b.")}, target="yes"),
        Example(id="train-1", texts={"tokens": ("c",)}, target="no"),
    ]


def test_a_pair_and_its_label(tmp_path: Path) -> None:
    (example,) = read(tmp_path / "x.tsv", "1\tA b\tc\tyes\n", text=2, pair=3, label=4)
    assert example == Example(id="train-0", texts={"premise": ("A", "b"), "hypothesis": ("c",)}, target="yes")


@pytest.mark.parametrize(
    ("tokenizer", "text", "tokens"),
    [
        ("whitespace", "Don't stop.", ["Don't", "stop."]),
        ("english", "Don't stop.", ["Do", "n't", "stop", "."]),
        ("characters", "今天 很好。", ["今", "天", "很", "好", "。"]),
    ],
)
def test_raw_text_is_split(tokenizer: str, text: str, tokens: list[str], tmp_path: Path) -> None:
    (example,) = read(tmp_path / "x.csv", f"text,label\n{text},1\n", tokenizer=tokenizer)
    assert list(example.texts["tokens"]) == tokens


def test_german_is_split_by_the_rules_of_its_language(tmp_path: Path) -> None:
    pytest.importorskip("spacy")
    (example,) = read(tmp_path / "x.csv", 'text,label\n"Das ist z.B. schön, oder?",1\n', tokenizer="spacy:de")
    assert example.texts["tokens"] == ("Das", "ist", "z.B.", "schön", ",", "oder", "?")


def test_tokens_of_json_lines_are_not_split_further(tmp_path: Path) -> None:
    row = {"text": ["New York", "isn't", "big."], "label": 1}
    (example,) = read(tmp_path / "x.jsonl", json.dumps(row), tokenizer="english")
    assert example.texts["tokens"] == ("New York", "isn't", "big.")


@pytest.mark.parametrize(("label", "text"), [(1, "1"), (True, "true"), (0.5, "0.5"), (" a b ", "a b"), ("ja", "ja")])
def test_values_of_json_are_labels(label: Any, text: str, tmp_path: Path) -> None:
    assert read(tmp_path / "x.jsonl", json.dumps({"text": "a", "label": label}))[0].target == text


def test_the_label_may_be_missing_in_text_to_be_labelled(tmp_path: Path) -> None:
    assert [e.target for e in read(tmp_path / "x.csv", "text\na\nb\n", labelled=False)] == [None, None]
    both = read(tmp_path / "x.csv", "text,label\na,\nb,yes\n", labelled=False)
    assert [e.target for e in both] == [None, "yes"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "text,label\na,b\n,c\n", ":3: the column 'text' is empty; fill it in, or remove the row"),
        ("x.csv", 'text,label\na,b\n" \n ",c\n', ":3: the column 'text' is empty"),
        ("x.csv", "text,label\na,b\nb, \n", ":3: the column 'label' is empty; fill it in, or remove the row"),
        ("x.jsonl", '{"text": "a", "label": null}\n', ":1: the column 'label' is empty"),
        ("x.jsonl", '{"text": "a", "label": ["b"]}\n', ":1: the column 'label' is [\"b\"]; give one label for each"),
        ("x.jsonl", '{"text": 5, "label": "b"}\n', ":1: the column 'text' is 5; give text in quotes, or a list of"),
        ("x.jsonl", '{"text": ["a", ""], "label": "b"}\n', ':1: the column \'text\' is ["a", ""]; give text'),
        ("x.jsonl", '{"text": [], "label": "b"}\n', ":1: the column 'text' is empty"),
    ],
)
def test_every_error_names_file_line_and_column(name: str, content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError) as caught:
        read(tmp_path / name, content)
    assert str(caught.value).startswith(f"{tmp_path / name}{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("options", "warned"), [({"text": 1, "label": 2}, True), ({"text": "text"}, False)])
def test_a_header_of_a_file_without_one_is_noticed(
    options: dict[str, Any], warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read(tmp_path / "x.csv", "text,label\n" + "a,yes\nb,no\n" * 6, **options)
    assert ("only the first row has the label 'label'; if the row is a header" in caplog.text) is warned


def test_a_column_with_a_number_is_named_by_it(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"x\.csv:2: the column 2 is empty"):
        read(tmp_path / "x.csv", "a,yes\nb,\n", text=1, label=-1)
    with pytest.raises(ConfigError, match=r"task\.text=1, task\.label=label: give names"):
        read(tmp_path / "x.csv", "a,yes\n", text=1)
