"""A task or a head that returns too little is one line that names the method."""

import logging
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from harness.config.schema import TrainerConfig
from harness.errors import HarnessError
from harness.training.evaluation import counts_of, evaluate
from harness.types import Batch, Example, Metrics, Prediction

EXAMPLES = [Example(id=str(i), texts={"tokens": ("a",)}) for i in range(3)]


class Counting:
    primary_metric = "f1"

    def __init__(self, name: str = "f1", score: Any = None) -> None:
        self._name, self._score = name, score

    def collate(self, examples: Sequence[Example]) -> Batch:
        return Batch(examples=tuple(examples), masks={})

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        return Metrics({self._name: len(gold) / len(predictions) if self._score is None else self._score})


def model(per_batch: int) -> Any:
    def predict(batch: Batch) -> list[Prediction]:
        return [Prediction(id=example.id, value=0) for example in batch.examples[:per_batch]]

    return SimpleNamespace(eval=lambda: None, predict=predict, head=SimpleNamespace())


def test_each_prediction_belongs_to_its_example() -> None:
    metrics, predictions = evaluate(Counting(), model(3), EXAMPLES, TrainerConfig())  # type: ignore[arg-type]
    assert metrics["f1"] == 1
    assert [prediction.id for prediction in predictions] == ["0", "1", "2"]


def test_a_missing_prediction_is_one_line() -> None:
    with pytest.raises(HarnessError, match=r"^SimpleNamespace\.predict returned 2 predictions for 3 examples$"):
        evaluate(Counting(), model(2), EXAMPLES, TrainerConfig())  # type: ignore[arg-type]


def test_a_missing_primary_metric_is_one_line() -> None:
    with pytest.raises(HarnessError, match=r"^Counting\.score returned accuracy, without 'f1'$"):
        evaluate(Counting("accuracy"), model(3), EXAMPLES, TrainerConfig())  # type: ignore[arg-type]


def test_metrics_are_plain_numbers_which_checkpoints_can_hold() -> None:
    for score in (np.float64(0.5), np.float32(0.5), torch.tensor(0.5)):
        metrics, _ = evaluate(Counting(score=score), model(3), EXAMPLES, TrainerConfig())  # type: ignore[arg-type]
        assert type(metrics["f1"]) is float
        assert metrics["f1"] == 0.5


@pytest.mark.parametrize("score", [math.nan, math.inf, [0.5], "high", torch.ones(2)])
def test_a_score_that_is_no_number_is_one_line(score: Any) -> None:
    with pytest.raises(HarnessError, match=r"^Counting\.score returned f1 = .*; expected a finite number$"):
        evaluate(Counting(score=score), model(3), EXAMPLES, TrainerConfig())  # type: ignore[arg-type]


def test_scores_without_their_class_are_one_line() -> None:
    task: Any = Counting()
    task.score = lambda *_: {"f1": 0.5}
    with pytest.raises(HarnessError, match=r"^Counting\.score returned a dict; expected harness\.types\.Metrics$"):
        evaluate(task, model(3), EXAMPLES, TrainerConfig())


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (
            lambda batch: [Prediction(id=one.id, value=0) for one in reversed(batch.examples)],
            "with other ids than the",
        ),
        (
            lambda batch: [Prediction(id="x", value=0) for _ in batch.examples],
            "with other ids than the examples",
        ),
        (
            lambda batch: (Prediction(id=one.id, value=0) for one in batch.examples),
            "generator; expected a list of harn",
        ),
        (lambda batch: [0 for _ in batch.examples], "list; expected a list of harness.types.Prediction"),
        (lambda _: None, "NoneType; expected a list"),
        (
            lambda batch: [Prediction(id=one.id, value=np.int64(0)) for one in batch.examples],
            "a value that JSON",
        ),
    ],
)
def test_predictions_of_other_examples_or_kinds_are_one_line(predict: Any, message: str) -> None:
    wrong = SimpleNamespace(eval=lambda: None, predict=predict, head=SimpleNamespace())
    with pytest.raises(HarnessError) as caught:
        evaluate(Counting(), wrong, EXAMPLES, TrainerConfig())  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert str(caught.value).startswith("SimpleNamespace.predict returned ")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[1.0, 1.0]] * 3, "list; expected a tensor (examples, 2) = (3, 2)"),
        (torch.ones(2, 2), "(2, 2); expected a tensor (examples, 2) = (3, 2)"),
        (torch.ones(3, 2), "sums whose ratio is 1.000000, and the score is 0.500000"),
        (torch.full((3, 2), math.nan), "sums whose ratio is nan, and the score is 0.500000"),
    ],
)
def test_counts_of_another_shape_or_score_are_not_kept(
    counts: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    task: Any = SimpleNamespace(counts=lambda *_: counts)
    with caplog.at_level(logging.WARNING):
        assert counts_of(task, EXAMPLES, [], score=0.5) == []
    assert caplog.messages == [f"no tests over examples: SimpleNamespace.counts returned {message}"]


def test_counts_whose_ratio_is_the_score_are_plain_lists() -> None:
    task: Any = SimpleNamespace(counts=lambda *_: torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]))
    assert counts_of(task, EXAMPLES, [], score=0.5) == [[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
