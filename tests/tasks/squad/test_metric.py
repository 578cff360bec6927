"""The official scores: every special case of the rules, and published systems with their published scores."""

import json
from pathlib import Path

import pytest

from tasks.squad.metric import best_scores, exact_match, f1, normalise, score_answers
from tasks.squad.reader import read_squad


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


def test_normalisation_has_its_steps_in_the_official_order() -> None:
    assert normalise("An A.B. test: The-end of\tthe day") == "ab test theend of day"
    assert normalise("a.m.") == "am"  # punctuation first: removing articles first would lose the "a"
    assert normalise("a – the") == "–"


def test_each_score_uses_the_gold_answer_for_which_it_is_greatest() -> None:
    assert best_scores("the", ["a", "the end"]) == (1, 0)
    assert best_scores("red cat", ["blue", "cat", "a red cat sat"]) == (0, pytest.approx(0.8))
    assert best_scores(None, ["a"]) == (0, 0)


def test_a_question_without_an_answer_scores_zero() -> None:
    gold = {"1": ["x"], "2": ["y"], "3": ["the"], "4": ["one two"]}
    assert score_answers(gold, {"1": "x", "4": "one", "9": "z"}) == {"f1": pytest.approx(5 / 12), "em": 0.25}


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("system", "em", "f1_score"),
    [("bert_ensemble", 86.206, 92.196), ("r_net_ensemble", 82.469, 88.478), ("logistic_regression", 40.142, 50.982)],
)
def test_published_systems_get_their_published_scores(system: str, em: float, f1_score: float, shared: Path) -> None:
    folder = shared / "data" / "squad"
    gold = {example.id: example.target["answers"] for example in read_squad(folder / "dev-v1.1.json.gz")}
    predicted = json.loads((folder / "system_outputs" / f"{system}.json").read_text())
    scores = score_answers(gold, predicted)
    assert (round(100 * scores["em"], 3), round(100 * scores["f1"], 3)) == (em, f1_score)
    assert len(gold.keys() - predicted.keys()) == (13 if system == "logistic_regression" else 0)
