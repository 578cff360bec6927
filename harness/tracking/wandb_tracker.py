"""A copy of the run for wandb. The record on disk is the result; nothing here can fail a run."""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from harness.protocols import Tracker

log = logging.getLogger(__name__)

_TABLE_ROWS = 200


class NoTracker:
    """Tracks nothing (``tracking=none``)."""

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Do nothing."""

    def finish(self, record: Mapping[str, Any], files: Mapping[str, str]) -> None:
        """Do nothing."""

    def finish_with_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Do nothing."""


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
    """Start a wandb run.

    Args:
        project, entity: where it goes.
        mode: ``auto`` is online where an API key is configured, offline otherwise.
        dir: offline runs are kept in ``dir/wandb``.
        group: of runs that belong together; by default those of one sweep, else those that differ in the seed alone.
        tags: added to the run's own.
        run_name, run_group, run_tags, job_type, config: supplied by the engine.

    Returns:
        a tracker; one that does nothing, after one warning, where wandb cannot start.
    """
    guard = _Guard()

    def start() -> Any:
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        Path(dir).mkdir(parents=True, exist_ok=True)
        return wandb.init(
            project=project,
            entity=entity,
            mode=_mode(mode),
            dir=dir,
            name=run_name,
            group=group or run_group,
            job_type=job_type,
            tags=[tag[:64] for tag in (*run_tags, *tags)],
            config=dict(config),
            reinit="finish_previous",
        )

    run = guard(start)
    return NoTracker() if run is None else WandbTracker(run, guard)


class WandbTracker:
    """Sends scalars, the table of predictions and the record to a wandb run."""

    def __init__(self, run: Any, guard: "_Guard") -> None:
        self._run, self._guard = run, guard

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Record scalars at an epoch."""
        self._guard(lambda: self._run.log(dict(values), step=step))

    def finish(self, record: Mapping[str, Any], files: Mapping[str, str]) -> None:
        """Hand over the summary, the table of predictions and the record's files, and close the run."""
        self._guard(lambda: self._hand_over(record, files))
        self._guard(lambda: self._run.finish(exit_code=0 if record["status"] == "ok" else 1), even_so=True)

    def finish_with_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Hand over a table, and close the run."""
        self._guard(lambda: self._log_table(name, columns, rows))
        self._guard(lambda: self._run.finish(), even_so=True)

    def _log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        import wandb

        self._run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})

    def _hand_over(self, record: Mapping[str, Any], files: Mapping[str, str]) -> None:
        import wandb

        summary = {
            f"{split}/{name}": value for split, values in record["metrics"].items() for name, value in values.items()
        }
        summary |= {f"time/{name}": value for name, value in record["timing"].items()}
        self._run.summary.update(summary | {"status": record["status"], "best_epoch": record["best_epoch"]})
        if "predictions.jsonl" in files:
            self._run.log({"predictions": _table(Path(files["predictions.jsonl"]))})
        artifact = wandb.Artifact(f"{record['task']}-{self._run.id}", type="record", metadata=dict(record))
        for name, path in files.items():
            artifact.add_file(path, name=name)
        self._run.log_artifact(artifact)


class _Guard:
    """Runs what may fail; the first failure is one warning and ends all that follows, unless ``even_so``."""

    def __init__(self) -> None:
        self._failed = False

    def __call__(self, action: Callable[[], Any], *, even_so: bool = False) -> Any:
        if self._failed and not even_so:
            return None
        try:
            return action()
        except Exception as error:  # whatever wandb raises, the run goes on: the record is on disk
            if not self._failed:
                log.warning("wandb failed and is left out from here on: %s", " ".join(str(error).split())[:300])
            self._failed = True
            return None


def _mode(mode: str) -> Any:
    if mode != "auto":
        return mode
    return os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")


def has_key() -> bool:
    """Whether wandb would find an API key: in the environment, or where ``wandb login`` puts it."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False


def _table(path: Path) -> Any:
    import wandb

    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(_TABLE_ROWS), strict=False)]
    columns: list[str | int] = ["split", "id", "texts", "gold", "prediction"]
    data = [[row[name] if name in ("split", "id") else json.dumps(row[name]) for name in columns] for row in rows]
    return wandb.Table(columns=columns, data=data)
