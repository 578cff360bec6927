"""Measure which share of a training step each of its parts takes, in CPU time.

    python -m tests.benchmarks.data_share [OVERRIDES]

The features are cached first. Then 40 steps are timed, after five steps that are not.
"""

import sys
import tempfile
import time
from collections.abc import Sequence

import torch

from harness.config.compose import compose_values
from harness.config.schema import typed
from harness.runs.plan import build_model, prepare, sentences
from harness.training.batching import bucketed, example_lengths
from harness.training.determinism import set_up_torch
from harness.training.optimizer import make_optimizer

WARM, TIMED = 5, 40


def shares(overrides: Sequence[str]) -> tuple[dict[str, float], float]:
    """Return the share of each part of a step, and the seconds of one step."""
    config = typed(compose_values("config", ["tracking=none", "threads=1", *overrides]))
    set_up_torch(config)
    plan = prepare(config)
    model = build_model(plan)
    model.features.fill(sentences(plan.examples), check=lambda: None)
    train = plan.examples["train"]
    batches = bucketed(
        [example_lengths(example) for example in train],
        batch_size=config.trainer.batch_size,
        max_tokens=config.trainer.max_batch_tokens,
        generator=torch.Generator().manual_seed(1),
    )
    optimizer = make_optimizer(model.parameters(), config.trainer)
    spent = dict.fromkeys(("collate", "read", "static and mix", "forward", "backward", "optimiser"), 0.0)
    last = time.process_time()

    def lap(part: str | None) -> None:
        nonlocal last
        now = time.process_time()
        if part is not None:
            spent[part] += now - last
        last = now

    for number, indices in enumerate((batches * (WARM + TIMED))[: WARM + TIMED]):
        if number == WARM:
            spent.update(dict.fromkeys(spent, 0.0))
        lap(None)
        batch = plan.task.collate([train[i] for i in indices])
        lap("collate")
        layers = {text: read.to(plan.device) for text, read in model.features.read(batch).items()}
        lap("read")
        vectors = model.features(layers, batch)
        lap("static and mix")
        loss = model.head.loss(vectors, batch) + model.features.penalty()
        lap("forward")
        optimizer.zero_grad()
        loss.backward()
        lap("backward")
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        lap("optimiser")
    total = sum(spent.values())
    return {part: seconds / total for part, seconds in spent.items()}, total / TIMED


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found, step = shares([f"cache_dir={folder}", *sys.argv[1:]])
    print(", ".join(f"{part} {100 * share:.1f} %" for part, share in found.items()), f"({1000 * step:.0f} ms per step)")
