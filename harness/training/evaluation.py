"""Predicting and scoring a split with a trained model."""

from collections.abc import Sequence

import torch

from harness.config.schema import TrainerConfig
from harness.errors import HarnessError
from harness.protocols import Task
from harness.training.batching import by_length, example_lengths
from harness.training.model import Model
from harness.types import Example, Metrics, Prediction
from harness.utils.console import progress


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
    """
    predictions = predict(task, model, examples, options)
    metrics = task.score(examples, predictions)
    if task.primary_metric not in metrics.values:
        found = ", ".join(metrics.values) or "nothing"
        raise HarnessError(f"{type(task).__name__}.score returned {found}, without '{task.primary_metric}'")
    return metrics, predictions


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
        if len(predicted) != len(indices):
            head = type(model.head).__name__
            raise HarnessError(f"{head}.predict returned {len(predicted)} predictions for {len(indices)} examples")
        predictions.update(zip(indices, predicted, strict=True))
    return [predictions[i] for i in range(len(examples))]
