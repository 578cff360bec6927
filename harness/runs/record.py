"""The record of a run on disk: its fields, its files, and the digests that name its folder."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf

from harness.errors import DataFormatError
from harness.types import SPLITS, Example, Prediction
from harness.utils.files import write_json, write_text

SCHEMA_VERSION = 1
COUNTS = "counts.json"  # only of a task that is Decomposable
RUN_FILES = ("record.json", "config.yaml", "predictions.jsonl", COUNTS, "history.jsonl", "head.safetensors")
CHECKPOINT = "checkpoint.pt"  # this file and the next exist only until the run is finished
LOCK = ".lock"
Status = Literal["ok", "failed", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that is worth knowing about a run: the content of ``record.json``, schema version 1.

    Attributes:
        schema_version: The version of this list of fields.
        status, error: How the run ended, and why it failed or was interrupted.
        task, task_version: The task's name, and its version, which rises when the same configuration gives new results.
        name: The representation that the run tests, and the seed.
        identity, setting: Digests over everything that determines the result, with and without the seed.
        seed: The seed of initial weights, batch order and dropout.
        data: The data set's name, and size and SHA-256 of each split.
        encoder: The encoder's name, fingerprint, state, number of layers, width and precision.
        embedding: The static vectors' name, fingerprint, width and coverage of the text.
        mixing: The mix's name and placement, and what it has learned.
        primary_metric: The metric that selected the best epoch on dev.
        metrics: Per split, the value of each metric, a fraction in [0, 1].
        best_epoch, epochs: The epoch with the best dev score, from 1 (0: none), and the number of finished epochs.
        parameters: How many numbers were trained.
        timing: Seconds per part of the run. ``train_s`` covers all sessions of a resumed run, the others the last one.
        environment: The code revision, package versions, hardware and command line.
        config: The resolved configuration.
    """

    schema_version: int = SCHEMA_VERSION
    status: Status
    error: str | None = None
    task: str
    task_version: int = 0
    name: str
    identity: str
    setting: str = ""
    seed: int
    data: Mapping[str, Any] = field(default_factory=dict)
    encoder: Mapping[str, Any] = field(default_factory=dict)
    embedding: Mapping[str, Any] = field(default_factory=dict)
    mixing: Mapping[str, Any] = field(default_factory=dict)
    primary_metric: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    best_epoch: int = 0
    epochs: int = 0
    parameters: int = 0
    timing: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


def folder_of(record: RunRecord, results_dir: str) -> Path:
    """Return the folder of a recorded run.

    Args:
        record: The record of the run.
        results_dir: The folder of all results.
    """
    return Path(results_dir) / record.task / f"{record.name}-{record.identity}"


def write_bad_request(config: Mapping[str, Any], *, task: str, error: str) -> None:
    """Record a run of a sweep that could not start; a digest of its configuration names the folder.

    Args:
        config: The composed configuration as plain values.
        task: The task's name.
        error: Why the run could not start.
    """
    seed = config.get("seed")
    record = RunRecord(
        status="failed",
        error=error,
        task=task,
        name="bad-request",
        identity=identity_digest(config),
        seed=seed if isinstance(seed, int) else 0,
        config=config,
    )
    write_record(folder_of(record, str(config["results_dir"])), record)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``config.yaml`` and then ``record.json``, each completely or not at all.

    Args:
        folder: The folder of the run's files.
        record: The record of the run.
    """
    write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(dict(record.config))))
    write_json(folder / "record.json", asdict(record))


def read_record(path: Path) -> RunRecord:
    """Read a ``record.json``.

    Raises:
        DataFormatError: The file is not JSON, or not a complete record of this schema version.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataFormatError(f"{path}: not a record ({error}); delete it and run again") from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise DataFormatError(f"{path}: schema version {version}; this harness reads version {SCHEMA_VERSION}")
    known = {one.name for one in fields(RunRecord)}
    try:
        record = RunRecord(**{key: value for key, value in raw.items() if key in known})
    except TypeError as error:
        raise DataFormatError(f"{path}: not a complete record ({error}); delete it and run again") from None
    if record.status == "ok":
        _check_scores(record, path)
    return record


def finished_record(folder: Path) -> RunRecord | None:
    """Return the record in a run's folder if the run has succeeded, otherwise None.

    Raises:
        DataFormatError: The record cannot be read.
    """
    path = folder / "record.json"
    record = read_record(path) if path.exists() else None
    return record if record is not None and record.status == "ok" else None


def _check_scores(record: RunRecord, path: Path) -> None:
    """Check that a finished run has the scores that tables, figures and tests are made of."""
    for split in SPLITS[1:]:
        scores = record.metrics.get(split, {})
        wrong = [name for name, score in scores.items() if not (isinstance(score, int | float) and isfinite(score))]
        if wrong or record.primary_metric not in scores:
            what = f"metrics.{split}.{(wrong or [record.primary_metric])[0]} is no number"
            raise DataFormatError(f"{path}: not a complete record ({what}); delete it and run again")


def read_history(folder: Path, name: str) -> list[float]:
    """Return a value of each epoch, or nothing for a run without a history.

    Args:
        folder: The folder of the run.
        name: The name of the value, for example ``dev/f1``.

    Raises:
        DataFormatError: The history is damaged, or does not contain the value.
    """
    path = folder / "history.jsonl"
    try:
        values = [float(json.loads(line)[name]) for line in path.read_text(encoding="utf-8").splitlines()]
        if not all(map(isfinite, values)):
            raise ValueError(f"{name} is no number")
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DataFormatError(f"{path}: not a history ({error}); repeat the run with overwrite=true") from None
    return values


def write_predictions(path: Path, splits: Mapping[str, tuple[Sequence[Example], Sequence[Prediction]]]) -> None:
    """Write one JSON line per example: split, id, texts, gold and prediction.

    Args:
        path: The file to write.
        splits: Per split, the examples and the prediction for each of them, in the same order.
    """
    lines = []
    for split, (examples, predictions) in splits.items():
        for example, prediction in zip(examples, predictions, strict=True):
            row = {"split": split, "id": example.id, "texts": dict(example.texts)}
            row |= {"gold": example.target, "prediction": prediction.value}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_text(path, "".join(lines))


def examples_digest(examples: Sequence[Example]) -> str:
    """Return a SHA-256 over ids, texts and targets: the content of the data, whatever file it came from."""
    digest = hashlib.sha256()
    for example in examples:
        content = [example.id, {name: list(text) for name, text in example.texts.items()}, example.target]
        digest.update(json.dumps(content, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def identity_digest(values: Mapping[str, Any]) -> str:
    """Return ten hex digits of a SHA-256 over plain values, independent of the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:10]


def flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values under dotted keys, for example ``trainer.lr``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": one for inner, one in flattened(value).items()}
        else:
            flat[str(key)] = value
    return flat
