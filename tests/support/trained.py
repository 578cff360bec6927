"""Small trained runs, and what their folders say about dev and test."""

import json
from pathlib import Path
from typing import Any

from harness.config.instantiate import build
from harness.optional_protocols import SampleWriter
from harness.runs.record import folder_of
from harness.runs.run import run
from harness.utils.signals import Stop
from tests.support.fast_setup import few_sentences
from tests.support.runs import config_of

TINY_ENCODER = (
    "encoder=random",
    "encoder.options.char_cnn.filters=[[1,8],[2,8]]",
    "encoder.options.lstm.dim=16",
    "encoder.options.lstm.projection_dim=8",
)


def trained_run(folder: Path, *overrides: str) -> Path:
    """Train a small head for one epoch on a part of the sample data; return the folder of the run."""
    usual = ("tracking=none", "threads=1", "data.fraction=0.1", "trainer.max_epochs=1")
    config = config_of(folder, *TINY_ENCODER, *usual, *overrides)
    with few_sentences():
        return folder_of(run(config, stop=Stop()), config.results_dir)


def sample_files(folder: Path, *overrides: str) -> dict[str, Path]:
    """Write the sample data that ``trained_run`` reads; return the file of each split."""
    writer = build(config_of(folder, *TINY_ENCODER, *overrides).task, kind=SampleWriter, where="task")
    with few_sentences():
        return {path.name.partition(".")[0]: path for path in writer.write_sample(folder / "sample")}


def recorded(run: Path, split: str) -> dict[str, Any]:
    """Return what a run predicted for each example of a split."""
    rows = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    return {row["id"]: row["prediction"] for row in rows if row["split"] == split}


def predicted(row: dict[str, Any]) -> Any:
    """Return the prediction in a row that the command ``predict`` wrote, as a run records it."""
    if "answer" in row:
        span = row["answer"]
        return {"text": span["text"], "start": span["start"], "end": span["end"] - 1}
    return row["labels"] if "labels" in row else row["label"]
