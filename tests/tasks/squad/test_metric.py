"""The official scores: every corner case of the reference sheet, and published systems with their published scores."""

import json
from pathlib import Path

import pytest

from tasks.squad.metric import best_scores, exact_match, f1, main, normalise, score_answers


@pytest.mark.parametrize(
    ("predicted", "gold", "em", "f1_score"),
    [
        ("the", "a", 1, 0),
        ("U.S.", "US", 1, 1),
        ("state-of-the-art", "state of the art", 0, 0),
        ("“Yes”", "Yes", 0, 0),
        ("1,000", "1000", 1, 1),
        ("cat cat", "cat", 0, 2 / 3),
        ("1990–1995", "1990-1995", 0, 0),
        ("The  Cat", "a cat!", 1, 1),
        ("theatre", "atre", 0, 0),
        ("in the big house", "big house", 0, 0.8),
        ("", "", 1, 0),
        ("Paris", "London", 0, 0),
    ],
)
def test_an_answer_is_compared_by_the_official_rules(predicted: str, gold: str, em: float, f1_score: float) -> None:
    assert exact_match(predicted, gold) == em
    assert f1(predicted, gold) == pytest.approx(f1_score)
    assert f1(gold, predicted) == pytest.approx(f1_score)


def test_normalising_takes_its_steps_in_the_official_order() -> None:
    assert normalise("An A.B. test: The-end of\tthe day") == "ab test theend of day"
    assert normalise("a.m.") == "am"  # punctuation before articles: "a m" would lose its first
    assert normalise("a – the") == "–"


def test_each_score_takes_the_gold_answer_that_suits_it() -> None:
    assert best_scores("the", ["a", "the end"]) == (1, 0)
    assert best_scores("red cat", ["blue", "cat", "a red cat sat"]) == (0, pytest.approx(0.8))
    assert best_scores(None, ["a"]) == (0, 0)


def test_an_unanswered_question_counts() -> None:
    gold = {"1": ["x"], "2": ["y"], "3": ["the"], "4": ["one two"]}
    assert score_answers(gold, {"1": "x", "4": "one", "9": "z"}) == {"f1": pytest.approx(5 / 12), "em": 0.25}


DATA = {
    "data": [
        {
            "title": "T",
            "paragraphs": [
                {
                    "context": "Rome fell.",
                    "qas": [
                        {"id": own, "question": "What?", "answers": [{"text": "Rome", "answer_start": 0}]}
                        for own in ("a", "b")
                    ],
                }
            ],
        }
    ]
}


def test_the_command_scores_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, predictions = tmp_path / "dev.json", tmp_path / "predictions.json"
    data.write_text(json.dumps(DATA))
    predictions.write_text('{"a": "rome", "c": "x"}')
    main([str(data), str(predictions)])
    assert json.loads(capsys.readouterr().out) == {
        "exact_match": 50.0, "f1": 50.0, "questions": 2, "unanswered": 1, "unknown": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "expected one JSON object"),
        ('{"a": 1}', "expected one JSON object"),
        ("{", "predictions.json:1: not JSON"),
        (None, "no such file"),
    ],
)
def test_the_command_says_what_is_wrong(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, predictions = tmp_path / "dev.json", tmp_path / "predictions.json"
    data.write_text(json.dumps(DATA))
    if content is not None:
        predictions.write_text(content)
    with pytest.raises(SystemExit, match="2"):
        main([str(data), str(predictions)])
    assert message in capsys.readouterr().err


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("system", "em", "f1_score"),
    [("bert_ensemble", 86.206, 92.196), ("r_net_ensemble", 82.469, 88.478), ("logistic_regression", 40.142, 50.982)],
)
def test_published_systems_get_their_published_scores(
    system: str, em: float, f1_score: float, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared / "data" / "squad"
    main([str(folder / "dev-v1.1.json.gz"), str(folder / "system_outputs" / f"{system}.json")])
    report = json.loads(capsys.readouterr().out)
    assert (round(report["exact_match"], 3), round(report["f1"], 3)) == (em, f1_score)
    assert report["unanswered"] == (13 if system == "logistic_regression" else 0)
