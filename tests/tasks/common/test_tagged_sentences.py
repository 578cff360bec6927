"""Tagged sentences in JSON lines, and the tags of spans in BIO."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataFormatError
from tasks.common.column_files import ColumnSentence, read_columns
from tasks.common.tagged_sentences import in_bio, read_json_sentences


def read(path: Path, *objects: Any, **options: Any) -> list[ColumnSentence]:
    path.write_text("".join(json.dumps(one) + "\n\n" for one in objects))
    return read_json_sentences(path, **({"tokens": "tokens", "tags": "tags"} | options))


def test_sentences_of_json_lines(tmp_path: Path) -> None:
    first, second = read(
        tmp_path / "x.jsonl", {"id": 1, "words": ["Äpfel", "x y"], "ner": ["B", "I"]}, {"ner": [7], "words": ["b"]},
        tokens="words", tags="ner",
    )  # fmt: skip
    assert first == ColumnSentence(tokens=("Äpfel", "x y"), tags=("B", "I"), line=1, on_one_line=True)
    assert (second.tokens, second.tags, second.line) == (("b",), ("7",), 3)


def test_tags_may_be_left_out(tmp_path: Path) -> None:
    (sentence,) = read(tmp_path / "x.jsonl", {"tokens": ["a", "b"]}, labelled=False)
    assert (sentence.tokens, sentence.tags) == (("a", "b"), ())
    (tmp_path / "x.conll").write_text("# id 1\na\nb\n")
    (sentence,) = read_columns(tmp_path / "x.conll", labelled=False)
    assert (sentence.tokens, sentence.tags) == (("a", "b"), ())
    (tmp_path / "x.conll").write_text("1\ta\n2\tb\n")
    (sentence,) = read_columns(tmp_path / "x.conll", (2, 3), labelled=False)
    assert sentence.tokens == ("a", "b")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"token": ["a"], "tags": ["X"]}, "no 'tokens' among 'token', 'tags'; did you mean 'token'?; set task.tokens="),
        ({"tokens": ["a"]}, "no 'tags' among 'tokens'; set task.tags=NAME"),
        ({"tokens": ["a", "b"], "tags": ["X"]}, "'tokens' has 2 items but 'tags' has 1; give one tag for each token"),
        ({"tokens": [], "tags": []}, "'tokens' is empty; remove the line"),
        ({"tokens": "a b", "tags": ["X"]}, "'tokens' is \"a b\"; give a list of strings"),
        ({"tokens": ["a", ""], "tags": ["X", "X"]}, "'tokens' number 2 is \"\"; give text that is not empty"),
        ({"tokens": ["a", 5], "tags": ["X", "X"]}, "'tokens' number 2 is 5; give text"),
        ({"tokens": ["a"], "tags": [None]}, "'tags' number 1 is null; give text"),
        ({"tokens": ["a"], "tags": [True]}, "'tags' number 1 is true; give text"),
        ([1], "not a JSON object; write one JSON object on each line"),
    ],
)
def test_every_error_is_one_line(bad: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with pytest.raises(DataFormatError) as caught:
        read(path, {"tokens": ["a"], "tags": ["X"]}, bad)
    assert str(caught.value).startswith(f"{path}:3: {message}")
    assert "\n" not in str(caught.value)


def test_no_sentence_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"x\.jsonl: no sentences in it; give one JSON object"):
        read(tmp_path / "x.jsonl")


def test_an_ill_formed_tag_is_named_with_its_token(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    sentences = read(path, {"tokens": ["a"], "tags": ["O"]}, {"tokens": ["a", "b"], "tags": ["B-X", "I-Y"]})
    with pytest.raises(
        DataFormatError, match=r"x\.jsonl:3, token 2: 'I-Y' cannot follow 'B-X' in bio; correct the tag"
    ):
        in_bio(sentences, path=path, scheme="bio")
