"""A run, whole: from a typed config to a record on disk."""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

import torch
from filelock import FileLock, Timeout

from harness.config.schema import HarnessConfig, plain
from harness.errors import HarnessError
from harness.features.store import precision_of
from harness.protocols import Tracker
from harness.runs.plan import Parts, Plan, build_model, prepare, sentences, start_tracking
from harness.runs.record import (
    CHECKPOINT,
    LOCK,
    RUN_FILES,
    RunRecord,
    Status,
    finished_record,
    write_predictions,
    write_record,
)
from harness.training.determinism import set_up_torch
from harness.training.evaluation import evaluate
from harness.training.model import Model
from harness.training.trainer import Progress, Trainer
from harness.types import SPLITS
from harness.utils.files import write_tensors, write_text
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)


def run(config: HarnessConfig, *, stop: Stop, parts: Parts | None = None) -> RunRecord:
    """Train and score one task on frozen features; write its record and return it.

    A finished run is recognised and not repeated; one that was stopped goes on; one that another process is at is
    waited for.

    Args:
        config: of the run.
        stop: asked whether to stop.
        parts: what earlier runs of this process have built.

    Raises:
        HarnessError: the request is wrong, or the run failed; the latter is in the record too.
    """
    set_up_torch(config)
    plan = prepare(config, parts)
    if not config.overwrite and (done := finished(plan)) is not None:
        return done
    torch.manual_seed(config.seed)  # of the initial weights
    model = build_model(plan)
    with sole(plan, stop):
        if config.overwrite:
            clear(plan)
        return finished(plan) or begin(plan, model, stop)


def finished(plan: Plan) -> RunRecord | None:
    """Return the record of a run that need not be repeated."""
    done = finished_record(plan.folder)
    if done is not None:
        log.info("%s is finished (overwrite=true runs it anew)", plan.folder)
    return done


def begin(plan: Plan, model: Model, stop: Stop) -> RunRecord:
    """Run what is not finished, and see to it that its record says how it ended."""
    track = start_tracking(plan)
    progress = Progress()
    try:
        record = execute(plan, model, track, stop, progress)
    except Interrupted as reason:
        record = record_of(plan, model, progress, status="interrupted", error=str(reason))
    except Exception as error:
        record = record_of(plan, model, progress, status="failed", error=f"{type(error).__name__}: {error}")
        conclude(plan, record, progress, track)
        if isinstance(error, HarnessError):
            error.recorded = True
        raise
    return conclude(plan, record, progress, track)


@contextmanager
def sole(plan: Plan, stop: Stop) -> Iterator[None]:
    """Hold a run's folder, waiting for another process that does.

    Raises:
        Interrupted: a stop was asked for meanwhile.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(plan.folder / LOCK)
    while not lock.is_locked:
        try:
            lock.acquire(timeout=1)
        except Timeout:
            stop.check()
    try:
        yield
    finally:
        if finished_record(plan.folder) is not None:
            (plan.folder / LOCK).unlink(missing_ok=True)  # whoever comes now finds the record
        lock.release()


def clear(plan: Plan) -> None:
    """Forget what the run has left so far."""
    for name in ("record.json", CHECKPOINT):
        (plan.folder / name).unlink(missing_ok=True)


def execute(plan: Plan, model: Model, track: Tracker, stop: Stop, progress: Progress) -> RunRecord:
    """Encode, train, score, and write everything but the record."""
    started = time.perf_counter()
    announce(plan)
    plan.folder.mkdir(parents=True, exist_ok=True)
    filled = model.features.fill(sentences(plan.examples), check=stop.check)
    encode_s = time.perf_counter() - started
    if plan.encoder is not None and not plan.encoder.cacheable:
        (plan.folder / CHECKPOINT).unlink(missing_ok=True)  # the encoder's own state is not in it: begin anew
    torch.manual_seed(plan.config.seed)  # of dropout; nothing else draws from torch's own generator
    Trainer(
        task=plan.task,
        model=model,
        train=plan.examples["train"],
        dev=plan.examples["dev"],
        options=plan.config.trainer,
        seed=plan.config.seed,
        device=plan.device,
        checkpoint=plan.folder / CHECKPOINT,
        track=track,
        stop=stop,
        progress=progress,
    ).fit()
    score_start = time.perf_counter()
    scored = {split: evaluate(plan.task, model, plan.examples[split], plan.config.trainer) for split in SPLITS[1:]}
    write_predictions(
        plan.folder / "predictions.jsonl",
        {split: (plan.examples[split], predictions) for split, (_, predictions) in scored.items()},
    )
    write_tensors(plan.folder / "head.safetensors", model.trained())
    timing = {
        "encode_s": encode_s,
        "train_s": progress.seconds,
        "total_s": encode_s + progress.seconds + time.perf_counter() - score_start,
        "tokens_encoded": model.features.tokens_encoded,
        "cache_hit_rate": filled.hit_rate,
    }
    metrics = {str(split): dict(metrics.values) for split, (metrics, _) in scored.items()}
    return record_of(plan, model, progress, status="ok", metrics=metrics, timing=timing)


def conclude(plan: Plan, record: RunRecord, progress: Progress, track: Tracker) -> RunRecord:
    """Write the record, unless another process has finished the same run meanwhile; tell the tracker."""
    done = finished_record(plan.folder)
    if done is None:
        write_text(plan.folder / "history.jsonl", "".join(json.dumps(row) + "\n" for row in progress.history))
        write_record(plan.folder, record)
    record = done or record
    if record.status == "ok":
        (plan.folder / CHECKPOINT).unlink(missing_ok=True)
    files = {name: str(plan.folder / name) for name in RUN_FILES if (plan.folder / name).exists()}
    track.finish(asdict(record), files)
    return record


def announce(plan: Plan) -> None:
    """Say what is about to run."""
    log.info("%s: %s", plan.name, plan.sizes)
    if plan.coverage is not None:
        tokens, types = 100 * plan.coverage.tokens, 100 * plan.coverage.types
        log.info("static vectors cover %.1f %% of tokens, %.1f %% of types", tokens, types)


def record_of(
    plan: Plan,
    model: Model,
    progress: Progress,
    *,
    status: Status,
    error: str | None = None,
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    timing: Mapping[str, float] | None = None,
) -> RunRecord:
    """Gather the record of a run, however it ended."""
    encoder, static, mixing = plan.encoder, plan.static, plan.mixing
    return RunRecord(
        status=status,
        error=error,
        task=plan.task.name,
        task_version=plan.task.version,
        name=plan.name,
        identity=plan.identity,
        setting=plan.setting,
        seed=plan.config.seed,
        data={
            "name": plan.task.data_name,
            "sizes": {split: len(examples) for split, examples in plan.examples.items()},
            "sha256": dict(plan.digests),
        },
        encoder={
            "name": encoder.name if encoder else "none",
            "fingerprint": encoder.fingerprint if encoder else "",
            "state": encoder.state if encoder else "none",
            "num_layers": encoder.num_layers if encoder else 0,
            "dim": encoder.dim if encoder else 0,
            **(precision_of(encoder) if encoder else {}),
        },
        embedding={
            "name": static.name if static else "none",
            "fingerprint": static.fingerprint if static else "",
            "dim": static.dim if static else 0,
            "coverage": plan.coverage.tokens if plan.coverage else 0.0,
            "coverage_types": plan.coverage.types if plan.coverage else 0.0,
        },
        mixing={"name": mixing.name, "placement": mixing.placement, **model.features.mix_state()},
        primary_metric=plan.task.primary_metric,
        metrics=metrics or {},
        best_epoch=progress.best_epoch,
        epochs=progress.epoch,
        parameters=model.num_parameters(),
        timing=timing or {"train_s": progress.seconds},
        environment=plan.environment,
        config=plain(plan.config),
    )
