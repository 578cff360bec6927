"""A task or a head that returns too little is one line that names the method."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from harness.config.schema import TrainerConfig
from harness.errors import HarnessError
from harness.training.evaluation import evaluate
from harness.types import Batch, Example, Metrics, Prediction

EXAMPLES = [Example(id=str(i), texts={"tokens": ("a",)}) for i in range(3)]


class Counting:
    primary_metric = "f1"

    def __init__(self, name: str = "f1") -> None:
        self._name = name

    def collate(self, examples: Sequence[Example]) -> Batch:
        return Batch(examples=tuple(examples), masks={})

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        return Metrics({self._name: len(gold) / len(predictions)})


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
