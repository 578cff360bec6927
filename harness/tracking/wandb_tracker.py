"""Send a copy of a run to wandb. The record on disk is the result, and no failure of wandb can fail a run."""

import json
import logging
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from netrc import NetrcParseError, netrc
from pathlib import Path
from random import Random
from typing import Any, Literal
from urllib.parse import urlsplit

from harness.protocols import Tracker
from harness.tracking.guard import Guard

log = logging.getLogger(__name__)

_ROWS_OF_A_SPLIT = 100  # in the table of predictions


class NoTracker:
    """Tracks nothing (``tracking=none``): every method of a tracker accepts its arguments and ignores them."""

    def log(self, *_: object, **__: object) -> None:
        """Do nothing."""

    finish = finish_with_table = log


def wandb_tracker(
    *,
    project: str,
    entity: str | None = None,
    mode: Literal["auto", "online", "offline"] = "auto",
    dir: str,
    group: str | None = None,
    tags: Sequence[str] = (),
    run_name: str,
    run_group: str,
    run_tags: Sequence[str],
    job_type: str,
    config: Mapping[str, Any],
) -> Tracker:
    """Start a wandb run and return its tracker; if wandb cannot start, log a warning and return one that does nothing.

    Args:
        project: The wandb project that receives the run.
        entity: The wandb user or team; None is the user's default.
        mode: ``auto`` is online if an API key is configured, otherwise offline.
        dir: The folder for offline runs, which are stored in ``dir/wandb``.
        group: The wandb group; None uses ``run_group``.
        tags: Tags in addition to ``run_tags``.
        run_name: The name of the run, supplied by the engine.
        run_group: The sweep, or else the setting that the runs of several seeds share; supplied by the engine.
        run_tags: Tags that describe the run, supplied by the engine.
        job_type: The task, or the kind of job; supplied by the engine.
        config: The values that wandb shows as the config of the run, supplied by the engine.
    """

    def start() -> Any:
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        Path(dir).mkdir(parents=True, exist_ok=True)
        return wandb.init(
            dir=dir,
            reinit="finish_previous",
            project=project,
            entity=entity,
            mode=_mode(mode),
            name=run_name,
            group=group or run_group,
            job_type=job_type,
            tags=[tag[:64] for tag in (*run_tags, *tags)],  # wandb refuses longer ones
            config=dict(config),
        )

    guard = Guard("wandb")
    run = guard(start)
    return NoTracker() if run is None else _WandbTracker(run, guard)


class _WandbTracker:
    """Sends scalars, the table of predictions and the record to a wandb run."""

    def __init__(self, run: Any, guard: Guard) -> None:
        self._run, self._guard = run, guard
        self.url: str = guard(lambda: getattr(run, "url", None)) or ""

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Log scalars at an epoch."""
        self._guard(lambda: self._run.log(dict(values), step=step))

    def finish(self, record: Mapping[str, Any], files: Mapping[str, str]) -> None:
        """Send the summary, the table of predictions and the files of the record, and close the run."""
        self._guard(lambda: self._send_record(record, files))
        self._guard(lambda: self._run.finish(exit_code=0 if record["status"] == "ok" else 1), always=True)

    def finish_with_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Send a table, and close the run."""
        self._guard(lambda: self._run.log({name: _table(columns, rows)}))
        self._guard(lambda: self._run.finish(), always=True)

    def _send_record(self, record: Mapping[str, Any], files: Mapping[str, str]) -> None:
        import wandb

        summary = {
            f"{split}/{name}": value for split, values in record["metrics"].items() for name, value in values.items()
        }
        summary |= {f"time/{name}": value for name, value in record["timing"].items()}
        summary |= {f"cost/{name}": value for name, value in record.get("cost", {}).items()}
        self._run.summary.update(summary | {"status": record["status"], "best_epoch": record["best_epoch"]})
        if "predictions.jsonl" in files:
            self._run.log({"predictions": _predictions(Path(files["predictions.jsonl"]))})
        artifact = wandb.Artifact(f"{record['task']}-{self._run.id}", type="record", metadata=dict(record))
        for name, path in files.items():
            artifact.add_file(path, name=name)
        self._run.log_artifact(artifact)


def _mode(mode: str) -> Any:
    """Return the mode for ``wandb.init``: under ``auto``, wandb's own, but offline instead of a question for a key.

    wandb's own mode comes from ``WANDB_MODE`` or from its settings files, which ``wandb offline`` and ``wandb
    disabled`` write. It is ``online`` if neither says anything.
    """
    if mode != "auto":
        return mode
    import wandb

    own = wandb.setup().settings.mode
    return own if own != "online" or has_key() or os.environ.get("WANDB_MODE") else "offline"


def has_key() -> bool:
    """Return whether an API key is in the environment or in netrc; wandb has no public function that only checks."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False


def _predictions(path: Path) -> Any:
    """Return a sample of each split's rows as a wandb table: the same examples in every run of the same data."""
    splits: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            splits[row["split"]].append(row)
    chosen: list[dict[str, Any]] = []
    for rows in splits.values():
        sample = Random(0).sample(range(len(rows)), min(_ROWS_OF_A_SPLIT, len(rows)))
        chosen += [rows[i] for i in sorted(sample)]
    columns = ("split", "id", "texts", "gold", "prediction")
    cells = [[row[name] if name in ("split", "id") else json.dumps(row[name]) for name in columns] for row in chosen]
    return _table(columns, cells)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    import wandb

    return wandb.Table(columns=list(columns), data=[list(row) for row in rows])
