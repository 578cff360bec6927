"""Scores of labels, compared with counts by hand."""

import pytest

from tasks.common.label_scores import score_labels

LABELS = ("a", "b", "c")


def test_scores_by_hand() -> None:
    scores = score_labels(["a", "a", "b", "b"], ["a", "b", "b", "b"], LABELS)
    assert scores["accuracy"] == 0.75
    assert scores["a/precision"] == 1.0
    assert scores["a/recall"] == 0.5
    assert scores["b/precision"] == pytest.approx(2 / 3)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)  # c neither occurs nor is predicted
    assert scores["confusion/a/b"] == 0.25
    assert sum(value for name, value in scores.items() if name.startswith("confusion/")) == 1.0


def test_a_label_that_is_only_predicted_counts_in_the_mean() -> None:
    assert score_labels(["a", "a"], ["a", "c"], LABELS)["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_gold_scores_one() -> None:
    scores = score_labels(["a", "b", "c"], ["a", "b", "c"], LABELS)
    assert scores["accuracy"] == scores["macro_f1"] == 1.0


@pytest.mark.parametrize(("gold", "predicted"), [([], []), (["a"], ["a", "b"])])
def test_nothing_to_score_is_an_error(gold, predicted) -> None:
    with pytest.raises(ValueError, match="score_labels"):
        score_labels(gold, predicted, LABELS)
