"""Predicting and scoring a split with a trained model."""

import json
import logging
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harness.config.schema import TrainerConfig
from harness.errors import HarnessError
from harness.optional_protocols import Decomposable
from harness.protocols import Task
from harness.training.batching import by_length, example_lengths
from harness.training.model import Model
from harness.types import Example, Metrics, Prediction
from harness.utils.console import progress

log = logging.getLogger(__name__)


def evaluate(
    task: Task, model: Model, examples: Sequence[Example], options: TrainerConfig
) -> tuple[Metrics, list[Prediction]]:
    """Predict and score a split.

    Args:
        task: The task, which collates and scores the examples.
        model: The trained model.
        examples: The examples of the split, with gold targets.
        options: The trainer's options; ``eval_batch_size`` and ``max_batch_tokens`` are used.

    Returns:
        The metrics, and one prediction per example in the order of ``examples``.

    Raises:
        HarnessError: The task or its head does not return what ``harness.protocols`` describes.
    """
    predictions = predict(task, model, examples, options)
    return _plain(task.score(examples, predictions), task), predictions


def counts_of(
    task: Decomposable, examples: Sequence[Example], predictions: Sequence[Prediction], *, score: float
) -> list[list[float]]:
    """Return what each example adds to the two sums whose ratio is the score; nothing if the task does not know it.

    The scores are right without it, so a wrong answer is a warning: there are no tests over examples then.

    Args:
        task: The task.
        examples: The examples of a split, with gold targets.
        predictions: One prediction per example, in the same order.
        score: The primary metric on this split.
    """
    counts: Any = task.counts(examples, predictions)
    wrong, shape = "", (len(examples), 2)
    if not isinstance(counts, Tensor) or tuple(counts.shape) != shape:
        found = tuple(counts.shape) if isinstance(counts, Tensor) else type(counts).__name__
        wrong = f"{found}; expected a tensor (examples, 2) = {shape}"
    else:
        numerator, denominator = counts.double().sum(dim=0).tolist()
        ratio = numerator / denominator if denominator else 0.0
        if not abs(ratio - score) < 1e-6:
            wrong = f"sums whose ratio is {ratio:.6f}, and the score is {score:.6f}"
    if wrong:
        log.warning("no tests over examples: %s.counts returned %s", type(task).__name__, wrong)
        return []
    rows: list[list[float]] = counts.tolist()
    return rows


def _plain(metrics: Any, task: Task) -> Metrics:
    """Return metrics as plain numbers, the only ones that records and checkpoints can hold."""
    what = f"{type(task).__name__}.score returned"
    if not isinstance(metrics, Metrics):
        raise HarnessError(f"{what} a {type(metrics).__name__}; expected harness.types.Metrics")
    if task.primary_metric not in metrics.values:
        raise HarnessError(f"{what} {', '.join(metrics.values) or 'nothing'}, without '{task.primary_metric}'")
    values = {}
    for name, value in metrics.values.items():
        try:
            values[name] = float(value)
        except (TypeError, ValueError):
            values[name] = math.nan
        if not math.isfinite(values[name]):
            raise HarnessError(f"{what} {name} = {value!r}; expected a finite number")
    return Metrics(values)


@torch.inference_mode()
def predict(task: Task, model: Model, examples: Sequence[Example], options: TrainerConfig) -> list[Prediction]:
    """Return one prediction per example, in the order of ``examples``.

    Args:
        task: The task, which collates the examples.
        model: The trained model.
        examples: The examples, with or without gold targets.
        options: The trainer's options; ``eval_batch_size`` and ``max_batch_tokens`` are used.
    """
    model.eval()
    lengths = [example_lengths(example) for example in examples]
    batches = by_length(lengths, batch_size=options.eval_batch_size, max_tokens=options.max_batch_tokens)
    predictions: dict[int, Prediction] = {}
    for indices in progress(batches, "predicting", total=len(batches)):
        batch = task.collate([examples[i] for i in indices])
        predicted = model.predict(batch)
        what = f"{type(model.head).__name__}.predict returned"
        if not (isinstance(predicted, Sequence) and all(isinstance(one, Prediction) for one in predicted)):
            raise HarnessError(f"{what} {type(predicted).__name__}; expected a list of harness.types.Prediction")
        if len(predicted) != len(indices):
            raise HarnessError(f"{what} {len(predicted)} predictions for {len(indices)} examples")
        if [one.id for one in predicted] != [examples[i].id for i in indices]:
            raise HarnessError(f"{what} predictions with other ids than the examples of the batch, or in another order")
        try:
            json.dumps([one.value for one in predicted])
        except (TypeError, ValueError) as error:
            raise HarnessError(f"{what} a value that JSON cannot hold ({error}); give plain Python values") from None
        predictions.update(zip(indices, predicted, strict=True))
    return [predictions[i] for i in range(len(examples))]
