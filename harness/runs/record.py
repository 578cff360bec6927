"""The record of a run: one folder, written to disk before anything else hears of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from harness.errors import DataFormatError
from harness.types import Example, Prediction
from harness.utils.files import write_json, write_text

SCHEMA_VERSION = 1
RUN_FILES = ("record.json", "config.yaml", "predictions.jsonl", "history.jsonl", "head.safetensors")
CHECKPOINT = "checkpoint.pt"  # there only while a run is unfinished, as is the lock
LOCK = ".lock"
Status = Literal["ok", "failed", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that is worth knowing of a run; ``record.json``, schema version 1.

    Metrics are fractions in [0, 1]; times are seconds. ``error`` says why a run failed. ``identity`` is a digest
    over everything that determines the result, ``setting`` the same but for the seed. Of ``timing``, what concerns
    encoding is of the session that ended the run; ``train_s`` is of all of them.
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


def run_folder(results_dir: str, task: str, name: str, identity: str) -> Path:
    """Return the folder that holds a run's files."""
    return Path(results_dir) / task / f"{name}-{identity}"


def folder_of(record: RunRecord, results_dir: str) -> Path:
    """Return the folder of a recorded run."""
    return run_folder(results_dir, record.task, record.name, record.identity)


def write_bad_request(config: Mapping[str, Any], *, task: str, error: str) -> None:
    """Record a run of a sweep that could not even begin, under the digest of what was asked for."""
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
    """Write ``record.json`` and ``config.yaml``, each whole or not at all; the record comes last."""
    from omegaconf import OmegaConf

    write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(dict(record.config))))
    write_json(folder / "record.json", asdict(record))


def read_record(path: Path) -> RunRecord:
    """Read a ``record.json``.

    Raises:
        DataFormatError: it is not JSON, or of another schema version.
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
        return RunRecord(**{key: value for key, value in raw.items() if key in known})
    except TypeError as error:
        raise DataFormatError(f"{path}: not a whole record ({error}); delete it and run again") from None


def finished_record(folder: Path) -> RunRecord | None:
    """Return the record of a run's folder if the run has ended well."""
    path = folder / "record.json"
    record = read_record(path) if path.exists() else None
    return record if record is not None and record.status == "ok" else None


def write_predictions(path: Path, splits: Mapping[str, tuple[Sequence[Example], Sequence[Prediction]]]) -> None:
    """Write one JSON line an example: split, id, texts, gold and prediction."""
    lines = [
        json.dumps(
            {
                "split": split,
                "id": example.id,
                "texts": dict(example.texts),
                "gold": example.target,
                "prediction": prediction.value,
            },
            ensure_ascii=False,
        )
        for split, (examples, predictions) in splits.items()
        for example, prediction in zip(examples, predictions, strict=True)
    ]
    write_text(path, "".join(line + "\n" for line in lines))


def examples_digest(examples: Sequence[Example]) -> str:
    """Return a SHA-256 over ids, texts and targets: the data itself, not the file it came in."""
    digest = hashlib.sha256()
    for example in examples:
        content = [example.id, {name: list(text) for name, text in example.texts.items()}, example.target]
        digest.update(json.dumps(content, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def identity_digest(values: Mapping[str, Any]) -> str:
    """Return ten hex digits over everything that determines a result."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:10]


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
