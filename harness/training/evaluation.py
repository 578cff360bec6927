"""Predicting and scoring a split with a trained model."""

from collections.abc import Sequence

import torch

from harness.config.schema import TrainerConfig
from harness.protocols import Task
from harness.training.batching import by_length, example_lengths
from harness.training.model import Model
from harness.types import Example, Metrics, Prediction
from harness.utils.console import progress


@torch.inference_mode()
def predict(
    task: Task, model: Model, examples: Sequence[Example], options: TrainerConfig, *, device: str = "cpu"
) -> list[Prediction]:
    """Return one prediction an example, in the order of ``examples``."""
    model.eval()
    batches = by_length(
        [example_lengths(example) for example in examples],
        batch_size=options.eval_batch_size,
        max_tokens=options.max_batch_tokens,
    )
    predictions: dict[int, Prediction] = {}
    for indices in progress(batches, "predicting", total=len(batches)):
        batch = task.collate([examples[i] for i in indices])
        predictions.update(zip(indices, model.predict(model.read(batch, device), batch.to(device)), strict=True))
    return [predictions[i] for i in range(len(examples))]


def evaluate(
    task: Task, model: Model, examples: Sequence[Example], options: TrainerConfig, *, device: str = "cpu"
) -> tuple[Metrics, list[Prediction]]:
    """Predict and score a split; return the metrics and the predictions."""
    predictions = predict(task, model, examples, options, device=device)
    return task.score(examples, predictions), predictions
