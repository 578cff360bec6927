"""The record of a run on disk: its fields, its files, and the digests that name its folder."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from harness.errors import DataFormatError
from harness.types import SPLITS
from harness.utils.checkpoint import remove_checkpoints
from harness.utils.files import read_written_json, write_json, write_text

log = logging.getLogger(__name__)

# Part of every identity: raise it when a default of the engine or of a mix changes, so that no two different settings
# share an identity. Records of version 1 have no ``determining``, and identities of another kind.
SCHEMA_VERSION = 2
COUNTS = "counts.json"  # only of a task that is Decomposable
RUN_FILES = ("record.json", "config.yaml", "predictions.jsonl", COUNTS, "history.jsonl", "model.safetensors")
CHECKPOINT = "checkpoint.pt"  # this file and the next exist only until the run is finished
LOCK = ".lock"
_FIX = "delete it and run again"
Status = Literal["ok", "failed", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that is worth knowing about a run: the content of ``record.json``.

    Attributes:
        schema_version: The version of this list of fields and of the identity.
        status, error: How the run ended, and why it failed or was interrupted.
        task, task_version: The task's name, and its version, which rises when the same configuration gives new results.
        name: The representation that the run tests, and the seed.
        identity, setting: Digests over everything that determines the result, with and without the seed.
        determining: What the identity is the digest of, by dotted key. Options at their defaults are left out.
        seed: The seed of initial weights, batch order and dropout.
        data: The data set's name, and size and SHA-256 of each split.
        encoder: The encoder's name, fingerprint, state, number of layers, width and precision, and its model card.
        embedding: The static vectors' name, fingerprint, width and coverage of the text.
        mixing: The mix's name and placement, what it has learned, and the mean norm of each layer if it has.
        primary_metric: The metric that selected the best epoch on dev.
        metrics: Per split, the value of each metric, a fraction in [0, 1].
        code_length: The online code length of the training labels in bits; empty if it was not measured.
        best_epoch, epochs: The epoch with the best dev score, from 1 (0: none), and the number of finished epochs.
        parameters: How many numbers were trained.
        weights_sha256: The SHA-256 of ``model.safetensors``, which holds them.
        timing: Seconds per part of the run. ``train_s`` covers all sessions of a resumed run, the others the last one.
        cost: What the run cost, by the names in ``harness.runs.cost``; only runs of the same device are comparable.
        environment: The code revision, package versions, hardware and command line.
        url: The page of the run at its tracker, for example at wandb; empty if it has none.
        config: The resolved configuration; a value from the environment has its text, ``${oc.env:NAME}``.
    """

    schema_version: int = SCHEMA_VERSION
    status: Status
    error: str | None = None
    task: str
    task_version: int = 0
    name: str
    identity: str
    setting: str = ""
    determining: Mapping[str, Any] = field(default_factory=dict)
    seed: int
    data: Mapping[str, Any] = field(default_factory=dict)
    encoder: Mapping[str, Any] = field(default_factory=dict)
    embedding: Mapping[str, Any] = field(default_factory=dict)
    mixing: Mapping[str, Any] = field(default_factory=dict)
    primary_metric: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    code_length: Mapping[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    epochs: int = 0
    parameters: int = 0
    weights_sha256: str = ""
    timing: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, int | float | str | None] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name_of_setting(self) -> str:
        """The name without the seed, which all runs of a setting have in common."""
        return self.name.removesuffix(f"-s{self.seed}")

    @property
    def was_cut(self) -> bool:
        """Whether ``trainer.max_epochs`` ended the run before ``trainer.patience`` did, so that more may be better."""
        options, dev = flattened(self.config), self.metrics.get("dev", {}).get(self.primary_metric)
        waited = 0 if dev == 0 else self.epochs - self.best_epoch  # patience is not counted while all scores are 0
        return 1 < self.epochs == options.get("trainer.max_epochs") and waited != options.get("trainer.patience")


# The parts of a record that are read by name, and their types; a record may have other parts, too.
_TYPES: Mapping[str, Any] = {
    "data.name": str,
    "data.sizes": dict[str, int],
    "data.sha256": dict[str, str],
    "encoder.name": str,
    "encoder.fingerprint": str,
    "encoder.dim": int,
    "encoder.num_layers": int,
    "embedding.name": str,
    "embedding.fingerprint": str,
    "embedding.dim": int,
    "mixing.placement": str,
    "mixing.weights": dict[str, list[float]],
    "mixing.gamma": dict[str, float],
    "mixing.norms": list[float],
    "environment.packages": dict[str, str | None],
    "environment.command": list[str],
    "environment.overrides": list[str] | None,
    "config.task": dict[str, Any],
}
_OF_FINISHED = ("data.name", "encoder.name", "mixing.weights", "mixing.gamma", "config.task")  # without exception


def folder_of(record: RunRecord, results_dir: str) -> Path:
    """Return the folder of a recorded run.

    Args:
        record: The record of the run.
        results_dir: The folder of all results.
    """
    return Path(results_dir) / record.task / f"{record.name}-{record.identity}"


def write_bad_request(config: Mapping[str, Any], *, results_dir: str, task: str, error: str) -> None:
    """Record a run of a sweep that could not start; a digest of its configuration names the folder.

    Args:
        config: The composed configuration as plain values, not resolved.
        results_dir: The folder of all results.
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
    write_record(folder_of(record, results_dir), record)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``config.yaml`` and then ``record.json``, each completely or not at all.

    Args:
        folder: The folder of the run's files.
        record: The record of the run.
    """
    write_text(folder / "config.yaml", yaml.safe_dump(dict(record.config), allow_unicode=True, sort_keys=False))
    write_json(folder / "record.json", asdict(record))


def read_record(path: Path) -> RunRecord:
    """Read a ``record.json``: the only function that does.

    Raises:
        DataFormatError: The file cannot be read, is not JSON, or not a complete record of a known schema version.
    """
    from pydantic import ValidationError

    raw = read_written_json(path, fix=_FIX)
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version not in range(1, SCHEMA_VERSION + 1):
        known = f"this harness reads versions 1 to {SCHEMA_VERSION}"
        raise DataFormatError(f"{path}: schema version {str(version)[:20]}; {known}")
    key = ""
    try:
        record: RunRecord = _form_of(RunRecord).validate_python(raw)
        for key, kind in _TYPES.items():
            part, name = key.split(".")
            if name in getattr(record, part):
                _form_of(kind).validate_python(getattr(record, part)[name])
            elif record.status == "ok" and key in _OF_FINISHED:
                raise DataFormatError(f"{path}: not a complete record ({key} is missing); {_FIX}")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(filter(None, (key, *map(str, first["loc"]))))
        raise DataFormatError(f"{path}: not a complete record ({where}: {first['msg'].lower()}); {_FIX}") from None
    if record.status == "ok":
        _check_scores(record, path)
        _check_code_length(record, path)
    return record


@cache
def _form_of(kind: Any) -> Any:
    """Return what checks that a value has the form of a type."""
    import pydantic

    return pydantic.TypeAdapter(kind)


def readable_record(path: Path) -> RunRecord | None:
    """Read one of several records; if it is damaged, say so in one line of the log and return None."""
    try:
        return read_record(path)
    except DataFormatError as error:
        log.warning("left out: %s", error)
        return None


def finished_record(folder: Path) -> RunRecord | None:
    """Return the record in a run's folder if the run has succeeded, otherwise None.

    Raises:
        DataFormatError: The record cannot be read.
    """
    path = folder / "record.json"
    record = read_record(path) if path.exists() else None
    return record if record is not None and record.status == "ok" else None


def finished_run(folder: Path) -> RunRecord | None:
    """Return ``finished_record``, and remove the checkpoint that a kill just before the end of the run has left.

    Raises:
        DataFormatError: The record cannot be read.
    """
    record = finished_record(folder)
    if record is not None:
        remove_checkpoints(folder)
    return record


def _check_scores(record: RunRecord, path: Path) -> None:
    """Check that a finished run has the scores that tables, figures and tests are made of."""
    for split in SPLITS[1:]:
        scores = record.metrics.get(split, {})
        wrong = [name for name, score in scores.items() if not _is_score(score)]
        if wrong or record.primary_metric not in scores:
            what = f"metrics.{split}.{(wrong or [record.primary_metric])[0]} is no number"
            raise DataFormatError(f"{path}: not a complete record ({what}); {_FIX}")


def _check_code_length(record: RunRecord, path: Path) -> None:
    """Check the numbers of a code length that tables and figures show, if it was measured."""
    for name in ("bits", "uniform_bits", "compression") if record.code_length else ():
        value = record.code_length.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1e12:
            what = f"code_length.{name} is missing or out of range"
            raise DataFormatError(f"{path}: not a complete record ({what}); {_FIX}")


def _is_score(value: float) -> bool:
    """Return whether a value is finite, and small enough for sums of squares; most tasks have scores from 0 to 1."""
    return abs(value) <= 1e9


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
        if not all(map(_is_score, values)):
            raise ValueError(f"{name} is no score")
    except FileNotFoundError:
        return []
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise DataFormatError(f"{path}: not a history ({reason}); repeat the run with overwrite=true") from None
    return values


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
