"""Generated results of a task that does not exist, for tests of the report."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.runs.record import COUNTS, RunRecord
from harness.types import Example, Prediction
from tasks.common.label_scores import label_counts, score_labels

LABELS = ("entailment", "neutral", "contra/diction & more")


def write_run(
    folder: Path,
    *,
    encoder: str,
    seed: int,
    chance: float,
    fraction: float = 1.0,
    examples: int = 200,
    epochs: int = 6,
    counted: bool = True,
    **changes: Any,
) -> Path:
    """Write the files of a run whose predictions are correct with a given probability; return its folder."""
    generator = np.random.default_rng([seed, int(1000 * chance)])
    metrics, counts, lines = {}, {}, []
    for split, salt in (("dev", 1), ("test", 2)):
        names = [LABELS[i] for i in np.random.default_rng(salt).integers(3, size=examples)]
        gold = [Example(id=f"{split}-{i}", texts={"tokens": ("a", "<b>")}, target=name) for i, name in enumerate(names)]
        given = [
            Prediction(id=e.id, value=e.target if generator.random() < chance else LABELS[generator.integers(3)])
            for e in gold
        ]
        metrics[split] = score_labels([e.target for e in gold], [p.value for p in given], LABELS)
        counts[split] = label_counts(gold, given).tolist()
        for e, p in zip(gold, given, strict=True):
            row = {"split": split, "id": e.id, "texts": {"tokens": ["a"]}, "gold": e.target, "prediction": p.value}
            lines.append(json.dumps(row))
    weights = {} if encoder == "none" else {"input": [0.5, 0.3, 0.2], "output": [0.2, 0.3, 0.5]}
    values: dict[str, Any] = {
        "status": "ok",
        "task": "labels",
        "name": f"{encoder}-s{seed}",
        "identity": f"{encoder}{fraction}{seed}",
        "setting": f"{encoder} {fraction}",
        "seed": seed,
        "data": {
            "name": "made_up",
            "sizes": {"train": round(1000 * fraction), "dev": examples, "test": examples},
            "sha256": {"dev": "d" * 64, "test": "e" * 64},
        },
        "encoder": {"name": encoder, "fingerprint": "f" * 64},
        "mixing": {"name": "scalar_mix", "placement": "both", "weights": weights, "gamma": dict.fromkeys(weights, 1.0)},
        "primary_metric": "accuracy",
        "metrics": metrics,
        "epochs": epochs,
        "parameters": 1234,
        "environment": {"revision": "abc", "dirty": True, "python": "3.11", "packages": {"torch": "2"}, "threads": 1},
        "config": {
            "task": {"_target_": "nowhere.Labels"},
            "data": {"fraction": fraction},
            "seed": seed,
        },
    }
    place = folder / "labels" / f"{encoder}-{fraction}-s{seed}"
    place.mkdir(parents=True)
    (place / "record.json").write_text(json.dumps(asdict(RunRecord(**(values | changes)))))
    (place / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    if counted:
        (place / COUNTS).write_text(json.dumps(counts))
    course = [{"epoch": i + 1, "dev/accuracy": chance * (1 - 0.5**i)} for i in range(epochs)]
    (place / "history.jsonl").write_text("\n".join(map(json.dumps, course)) + "\n")
    return place


def write_results(folder: Path, *, counted: bool = True) -> Path:
    """Write three settings with three seeds: without an encoder, with an encoder, and with one on half of the data."""
    for seed in (1, 2, 3):
        write_run(folder, encoder="none", seed=seed, chance=0.5, counted=counted, epochs=4 + seed)
        write_run(folder, encoder="elmo", seed=seed, chance=0.9, counted=counted)
        write_run(folder, encoder="elmo", seed=seed, chance=0.7, fraction=0.5, counted=counted)
    return folder
