"""The reader of SQuAD: answers as characters and as tokens, one passage for all its questions, errors with a place."""

import gzip
import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataFormatError
from tasks.squad.reader import examples_of_rows, read_squad

CONTEXT = "The Normans came from Normandy, a region in France. They gave US$100 to the region."


def question(own: str = "q1", text: str = "Where did they come from?", **changes: Any) -> dict[str, Any]:
    answers = [{"text": "Normandy", "answer_start": 22}, {"text": "a region in France", "answer_start": 32}]
    return {"id": own, "question": text, "answers": answers, **changes}


def dataset(*questions: Any, **changes: Any) -> dict[str, Any]:
    paragraph = {"context": CONTEXT, "qas": list(questions) or [question()], **changes}
    return {"version": "1.1", "data": [{"title": "Normans", "paragraphs": [paragraph]}]}


def written(folder: Path, content: Any) -> Path:
    path = folder / "squad.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_answers_become_spans_of_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    inside = [{"text": "$100", "answer_start": CONTEXT.index("$100")}]
    first, second = read_squad(written(tmp_path, dataset(question(), question("q2", answers=inside))))
    assert first.texts["question"] == ("Where", "did", "they", "come", "from", "?")
    assert first.target == {"answers": ("Normandy", "a region in France"), "spans": ((4, 4), (6, 9))}
    assert [first.origin["passage"].text_of(*span) for span in first.target["spans"]] == [
        "Normandy",
        "a region in France",
    ]
    assert second.origin is first.origin
    assert second.origin["passage"].text_of(*second.target["spans"][0]) == "US$100"
    assert "2 questions about 1 passages; 1 of 3 answers begin or end inside a word" in caplog.text


def test_a_compressed_file_and_a_table_give_the_same_questions(tmp_path: Path) -> None:
    path = tmp_path / "squad.json.gz"
    path.write_bytes(gzip.compress(json.dumps(dataset(question(), question("q2"))).encode()))
    rows = [{"context": "".join(CONTEXT), "title": "Normans", **question(own)} for own in ("q1", "q2")]
    plain = read_squad(written(tmp_path, dataset(question(), question("q2"))))
    for examples in (read_squad(path), examples_of_rows(rows, "squad train")):
        assert [(e.id, e.texts, e.target) for e in examples] == [(e.id, e.texts, e.target) for e in plain]
        assert examples[0].origin is examples[1].origin


def answer(text: str, start: Any) -> dict[str, Any]:
    return dataset(question(answers=[{"text": text, "answer_start": start}]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"squad\.json: is empty"),
        ("\n \n", r"squad\.json: is empty"),
        ('{"data":\n [}', r"squad\.json:2: not JSON"),
        ("[" * 100_000, r"squad\.json:1: not JSON \(nested too deeply\)"),
        (answer("\ud83d", 0), r"squad\.json:1: not JSON \(half a character, \\ud83d\)"),
        ([], r"squad\.json: expected an object with 'data', found list"),
        ({"articles": []}, r"squad\.json: no 'data'"),
        ({"data": []}, r"squad\.json: no questions in it"),
        ({"data": [{"title": "T"}]}, r"squad\.json: article 1 \('T'\): no 'paragraphs'"),
        ({"data": [7]}, r"squad\.json: article 1: expected an object with 'paragraphs', found int"),
        (dataset(context=3), r"article 1 \('Normans'\), paragraph 1: 'context' is 3, expected str"),
        (dataset("x"), r"paragraph 1: expected an object with 'id', found str"),
        (dataset(question(text=" \u00a0")), r"paragraph 1, question 'q1': the question is empty"),
        (dataset(question(answers=[])), r"question 'q1': there is no answer; .*v2\.0"),
        (dataset(question(), question()), r"two questions have the id 'q1'"),
        (answer("Normandy", 21), r"question 'q1': answer 'Normandy' is not at answer_start 21; it is at 22"),
        (answer("Norway", 22), r"answer 'Norway' is not at answer_start 22; the passage does not contain it"),
        (answer("Normandy", -61), r"answer 'Normandy' is not at answer_start -61; it is at 22"),
        (answer("Normandy", "22"), r"question 'q1': 'answer_start' is '22', expected int"),
        (answer("", 22), r"answer '' contains no word"),
        (answer(" ", 3), r"answer ' ' contains no word"),
    ],
)
def test_bad_input_is_an_error_of_one_line_with_its_place(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=message) as caught:
        read_squad(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_wrong_row(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="no such file"):
        read_squad(tmp_path / "train.json")
    rows = [{"context": CONTEXT, **question()}, {"context": CONTEXT, **question("q2", text="")}]
    with pytest.raises(DataFormatError, match="squad dev, row 2, question 'q2': the question is empty"):
        examples_of_rows(rows, "squad dev")


def test_a_passage_of_twenty_thousand_words(tmp_path: Path) -> None:
    context = "word " * 19_999 + "end"
    asked = question(answers=[{"text": "end", "answer_start": 5 * 19_999}])
    (only,) = read_squad(written(tmp_path, dataset(asked, context=context)))
    assert only.target["spans"] == ((19_999, 19_999),)


def border(context: str, answer_start: int, answer_end: int) -> str:
    """Return what an answer that is not whole tokens divides: a word, or a word and its punctuation mark."""

    def divides(at: int, test: Callable[[str], bool]) -> bool:
        return 0 < at < len(context) and test(context[at - 1]) and test(context[at])

    return "word" if any(divides(at, str.isalnum) for at in (answer_start, answer_end)) else "mark"


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "answers", "expected"),
    [
        ("train", 87_599, {"exact": 87_127, "word": 262, "mark": 210}),
        ("dev", 34_726, {"exact": 34_429, "word": 204, "mark": 93}),
    ],
)
def test_published_answers_map_to_words_and_back(name: str, answers: int, expected: Any, shared: Path) -> None:
    """Half a per cent do not, mostly because they divide a word ("six" of "sixth"), where no tokeniser cuts."""
    examples = read_squad(shared / "data" / "squad" / f"{name}-v1.1.json.gz")
    with gzip.open(shared / "data" / "squad" / f"{name}-v1.1.json.gz", "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    starts = {
        one["id"]: [a["answer_start"] for a in one["answers"]]
        for article in articles
        for paragraph in article["paragraphs"]
        for one in paragraph["qas"]
    }
    found: Counter[str] = Counter()
    for one in examples:
        for text, span, start in zip(one.target["answers"], one.target["spans"], starts[one.id], strict=True):
            covered = one.origin["passage"].text_of(*span)
            assert text in covered
            found["exact" if covered == text else border(one.origin["passage"].text, start, start + len(text))] += 1
    assert found.total() == answers
    assert found == expected
