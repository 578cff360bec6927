"""Fitting a head that learns without gradients: one pass over the training data, and its score on dev."""

import time
from collections.abc import Sequence

import torch

from harness.config.schema import TrainerConfig
from harness.protocols import Task, Tracker
from harness.training.batching import by_length, example_lengths
from harness.training.evaluation import evaluate
from harness.training.model import Model
from harness.training.trainer import Progress
from harness.types import Example
from harness.utils.console import progress
from harness.utils.signals import Stop


def fit_in_one_pass(
    *,
    task: Task,
    model: Model,
    train: Sequence[Example],
    dev: Sequence[Example],
    options: TrainerConfig,
    track: Tracker,
    stop: Stop,
    state: Progress,
) -> None:
    """Show each training example once to a ``Fitted`` head, and score dev; this is recorded as one epoch.

    The examples come in the order of their lengths, equal ones in the order of the file, for any size of a batch. A
    pass takes little time, so there is no checkpoint: a stopped run starts the pass again.

    Args:
        task: The task, which collates and scores examples.
        model: The model; its head is fitted in place.
        train: The training examples.
        dev: The examples whose score is recorded.
        options: The trainer's options; ``eval_batch_size`` and ``max_batch_tokens`` are used.
        track: The tracker that receives the scores.
        stop: The object that is asked after every batch whether to stop.
        state: How far the run has come; it is brought up to date.

    Raises:
        Interrupted: A stop was requested.
    """
    started = time.perf_counter()
    model.eval()
    lengths = [example_lengths(example) for example in train]
    batches = by_length(lengths, batch_size=options.eval_batch_size, max_tokens=options.max_batch_tokens)
    with torch.inference_mode():
        for indices in progress(batches, "fitting", total=len(batches)):
            model.observe(task.collate([train[i] for i in indices]))
            stop.check()
    metrics, _ = evaluate(task, model, dev, options)
    scores = {f"dev/{name}": metrics[name] for name in metrics}
    state.epoch, state.best_epoch, state.best_score = 1, 1, metrics[task.primary_metric]
    state.history.append({"epoch": 1, **scores})
    track.log(scores, step=1)
    state.seconds = time.perf_counter() - started
