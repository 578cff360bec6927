"""The reader of SNLI: both published formats, dropped pairs, and errors that name the line."""

import gzip
import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataFormatError
from tasks.snli.reader import LABELS, SentencePair, pairs_of_rows, read_pairs

# As in snli_1.0_dev: the columns of parses are not sentences, and one pair has no gold label.
COLUMNS = (
    "gold_label", "sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse", "sentence2_parse",
    "sentence1", "sentence2", "captionID", "pairID", "label1", "label2", "label3", "label4", "label5",
)  # fmt: skip
ROWS = [
    ("neutral", "( A man )", "( A ( tall man ) )", "(ROOT (NP (DT A)))", "(ROOT)", "A man eats.", "A tall man eats.",
     "1.jpg#0", "1.jpg#0n", "neutral", "", "", "", ""),
    ("-", "( A man )", "( He )", "(ROOT)", "(ROOT)", "A man eats.", "He is hungry.",
     "1.jpg#0", "1.jpg#0e", "neutral", "entailment", "", "", ""),
    ("contradiction", "( A man )", "( Nobody )", "(ROOT)", "(ROOT)", 'A "man" eats.', "Nobody eats.",
     "1.jpg#0", "1.jpg#0c", "contradiction", "", "", "", ""),
]  # fmt: skip
PAIRS = [
    SentencePair(premise="A man eats.", hypothesis="A tall man eats.", label="neutral", id="1.jpg#0n"),
    SentencePair(premise='A "man" eats.', hypothesis="Nobody eats.", label="contradiction", id="1.jpg#0c"),
]


def as_table() -> str:
    return "".join("\t".join(row) + "\n" for row in (COLUMNS, *ROWS))


def as_jsonl() -> str:
    objects = [dict(zip(COLUMNS[:9], row[:9], strict=True)) | {"annotator_labels": list(row[9:])} for row in ROWS]
    return "".join(json.dumps(one) + "\n" for one in objects)


@pytest.mark.parametrize("content", [as_table, as_jsonl])
@pytest.mark.parametrize("name", ["snli_1.0_dev.txt", "snli_1.0_dev.jsonl", "dev.gz"])
def test_both_formats_give_the_same_pairs(
    content: Callable[[], str], name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content().encode()) if name.endswith(".gz") else content().encode())
    with caplog.at_level(logging.INFO):
        assert read_pairs(path) == PAIRS
    assert f"{name}: 2 pairs; dropped 1 without a gold label" in caplog.text


def row(**changes: object) -> str:
    values = {"gold_label": "neutral", "sentence1": "A man eats.", "sentence2": "He is tall."} | changes
    return json.dumps({key: value for key, value in values.items() if value is not None}) + "\n"


HEADER = "gold_label\tsentence1\tsentence2\n"
BAD = [
    (row() + row()[:30], r"bad:2: not JSON \(.* at character \d+\); fix the line, or download the file again"),
    (row() + "\n" + row(gold_label="entailement"), r"bad:3: gold_label is 'entailement'; did you mean 'entailment'\?$"),
    (row(gold_label=2), r"bad:1: gold_label is 2; expected text"),
    (row().replace('"He is tall."', "null"), r"bad:1: sentence2 is null; expected text"),
    (row(sentence1="\ud83d"), r"bad:1: not JSON \(half a character, \\ud83d at character \d+\)"),
    (row(sentence2=None), r"bad:1: sentence2 is missing; did you mean 'sentence1'\?; expected text"),
    (row() + row(sentence1="  "), r"bad:2: sentence1 is empty; fill it in"),
    (row() + "[1]\n", r"bad:2: not a JSON object"),
    (row() + '{"a": ' + "[" * 100_000, r"bad:2: not JSON"),
    (row(gold_label="-"), r"bad: 1 pairs, none with a gold label; "),
    ("", r"bad: 0 pairs, none with a gold label; "),
    ("\n \n", r"bad: 0 pairs, none with a gold label; "),
    ("a man eats\tneutral\n", r"bad:1: neither a JSON object nor a header with the column gold_label"),
    ("gold_label\tsentence1\tsentence_2\n", r"bad:1: .*column sentence2; did you mean 'sentence_2'"),
    (HEADER + "neutral\tA man eats.\n", r"bad:2: 2 column\(s\), but the header has 3; "),
    (HEADER + "neutral\tA man eats.\t\n", r"bad:2: sentence2 is empty"),
    (HEADER + "maybe\tA man eats.\tHe eats.\n", r"bad:2: gold_label is 'maybe'; choose one of: -, contradiction"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_bad_input_is_an_error_of_one_line_with_its_place(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataFormatError, match=message) as error:
        read_pairs(path)
    assert "\n" not in str(error.value)


def test_a_bad_row_of_a_table_is_named() -> None:
    rows = [{"premise": "A man eats.", "hypothesis": text, "label": "neutral"} for text in ("He eats.", "")]
    with pytest.raises(DataFormatError, match=r"^snli, row 2: sentence2 is empty"):
        pairs_of_rows(rows, "snli")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="no such file"):
        read_pairs(tmp_path / "snli_1.0_train.jsonl")


@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_give_pairs_or_one_error(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataFormatError):
        read_pairs(path)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "pairs"), [("snli_1.0_dev", 9842), ("snli_1.0_test", 9824), ("snli_1.0_train_subset", 36381)]
)
def test_published_files_have_their_published_counts(name: str, pairs: int, shared: Path) -> None:
    read = read_pairs(shared / "data" / "snli" / f"{name}.jsonl.gz")
    assert len(read) == pairs
    counts = Counter(pair.label for pair in read)
    assert set(counts) == set(LABELS)
    assert max(counts.values()) / len(read) < 0.36
