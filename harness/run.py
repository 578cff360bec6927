"""A run, whole: from a typed config to a record on disk."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch

from harness.config import HarnessConfig, plain
from harness.console import human_bytes
from harness.environment import environment
from harness.errors import HarnessError
from harness.evaluation import evaluate
from harness.files import write_tensors, write_text
from harness.interrupts import Interrupted, Stop
from harness.model import Model
from harness.plan import Plan, build_model, layer_source, prepare, sentences, start_tracking
from harness.protocols import Tracker
from harness.records import (
    CHECKPOINT,
    RUN_FILES,
    RunRecord,
    identity_digest,
    read_record,
    run_folder,
    write_predictions,
    write_record,
)
from harness.training import Progress, fit
from harness.types import SPLITS

log = logging.getLogger(__name__)

_DEFAULT_THREADS = torch.get_num_threads()


def run(config: HarnessConfig, *, stop: Stop, record_bad_requests: bool = False) -> RunRecord:
    """Train and score one task on frozen features; write its record and return it.

    A finished run is recognised and not repeated; one that was stopped goes on.

    Args:
        config: everything.
        stop: asked now and then whether to stop.
        record_bad_requests: write a record even where the parts of the run could not be built.

    Raises:
        HarnessError: the request is wrong, or the run failed; the latter is in the record too.
    """
    torch.set_num_threads(config.threads or _DEFAULT_THREADS)
    try:
        plan = prepare(config)
        done = finished(plan)
        if done is not None:
            log.info("%s is finished (overwrite=true runs it anew)", plan.folder)
            return done
        torch.manual_seed(config.seed)  # of the initial weights
        model = build_model(plan)
    except HarnessError as error:
        if record_bad_requests:
            _write_bad_request(config, error)
        raise
    track = start_tracking(plan)
    try:
        record = execute(plan, model, track, stop)
    except Interrupted as reason:
        record = _record(plan, status="interrupted", error=str(reason))
    except Exception as error:
        record = _record(plan, status="failed", error=f"{type(error).__name__}: {error}")
        write_record(plan.folder, record)
        track.finish(asdict(record), {})
        raise
    write_record(plan.folder, record)
    if record.status == "ok":
        (plan.folder / CHECKPOINT).unlink(missing_ok=True)
    files = {name: str(plan.folder / name) for name in RUN_FILES if (plan.folder / name).exists()}
    track.finish(asdict(record), files)
    return record


def dry_run(config: HarnessConfig) -> str:
    """Return what ``run`` would do, having done none of it.

    Raises:
        HarnessError: the request is wrong.
    """
    plan = prepare(config)
    sizes = ", ".join(f"{len(examples):,} {split}" for split, examples in plan.examples.items())
    lines = [f"{plan.folder}: {sizes} from {plan.task.data_name}"]
    if finished(plan) is not None:
        return f"{lines[0]}; finished, would be skipped (overwrite=true runs it anew)"
    source = layer_source(plan)
    if source is not None:
        todo = source.plan(sentences(plan.examples))
        tokens = sum(map(len, todo.missing))
        lines.append(
            f"would encode {len(todo.missing):,} of {todo.sentences:,} sentences ({tokens:,} tokens) "
            f"and write {human_bytes(todo.bytes)}"
        )
    lines.append(f"would train {plan.config.trainer.max_epochs} epochs at most")
    return "; ".join(lines)


def finished(plan: Plan) -> RunRecord | None:
    """Return the record of a finished run, if there is one and it is wanted; clear what is not."""
    path = plan.folder / "record.json"
    if plan.config.overwrite and not plan.config.dry_run:
        for stale in (path, plan.folder / CHECKPOINT):
            stale.unlink(missing_ok=True)
    if not path.exists():
        return None
    record = read_record(path)
    return record if record.status == "ok" else None


def execute(plan: Plan, model: Model, track: Tracker, stop: Stop) -> RunRecord:
    """Encode, train, score, and write everything but the record."""
    started = time.perf_counter()
    _announce(plan)
    filled = model.features.fill(sentences(plan.examples), check=stop.check)
    encode_s = time.perf_counter() - started
    torch.manual_seed(plan.config.seed)  # of dropout; nothing else draws from torch's own generator
    trained = fit(
        plan.task,
        model,
        train=plan.examples["train"],
        dev=plan.examples["dev"],
        options=plan.config.trainer,
        seed=plan.config.seed,
        device=plan.device,
        checkpoint=plan.folder / CHECKPOINT,
        track=track,
        stop=stop,
    )
    scored = {
        split: evaluate(plan.task, model, plan.examples[split], plan.config.trainer, device=plan.device)
        for split in SPLITS[1:]
    }
    write_predictions(
        plan.folder / "predictions.jsonl",
        {split: (plan.examples[split], predictions) for split, (_, predictions) in scored.items()},
    )
    write_text(plan.folder / "history.jsonl", trained.history_lines())
    write_tensors(plan.folder / "head.safetensors", model.trained())
    timing = {
        "encode_s": encode_s,
        "train_s": trained.seconds,
        "total_s": time.perf_counter() - started,
        "tokens_encoded": filled.tokens_encoded,
        "cache_hit_rate": filled.hit_rate,
    }
    return _record(
        plan,
        status="ok",
        metrics={split: dict(metrics.values) for split, (metrics, _) in scored.items()},
        trained=trained,
        model=model,
        timing=timing,
    )


def _write_bad_request(config: HarnessConfig, error: HarnessError) -> None:
    values = plain(config)
    record = RunRecord(
        status="failed",
        error=f"{type(error).__name__}: {error}",
        task=str(values["task"].get("_target_", "task")).rpartition(".")[2],
        name="failed",
        identity=identity_digest(values),
        seed=config.seed,
        environment=environment(config.device),
        config=values,
    )
    write_record(run_folder(config.results_dir, record), record)


def _announce(plan: Plan) -> None:
    sizes = ", ".join(f"{len(examples):,} {split}" for split, examples in plan.examples.items())
    log.info("%s: %s from %s", plan.name, sizes, plan.task.data_name)
    if plan.coverage is not None:
        log.info(
            "static vectors cover %.1f %% of tokens, %.1f %% of types",
            100 * plan.coverage.tokens,
            100 * plan.coverage.types,
        )


def _record(
    plan: Plan,
    *,
    status: Any,
    error: str | None = None,
    metrics: Mapping[str, Mapping[str, float]] | None = None,
    trained: Progress | None = None,
    model: Model | None = None,
    timing: Mapping[str, float] | None = None,
) -> RunRecord:
    encoder, static, mixing = plan.encoder, plan.static, plan.mixing
    state = model.features.mix_state() if model is not None else {"weights": {}, "gamma": {}}
    return RunRecord(
        status=status,
        error=error,
        task=plan.task.name,
        task_version=plan.task.version,
        name=plan.name,
        identity=plan.identity,
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
        },
        embedding={
            "name": static.name if static else "none",
            "dim": static.dim if static else 0,
            "coverage": plan.coverage.tokens if plan.coverage else 0.0,
            "coverage_types": plan.coverage.types if plan.coverage else 0.0,
        },
        mixing={"name": mixing.name, "placement": mixing.placement, **state},
        primary_metric=plan.task.primary_metric,
        metrics=metrics or {},
        best_epoch=trained.best_epoch if trained else 0,
        epochs=trained.epoch if trained else 0,
        parameters=sum(tensor.numel() for tensor in model.trained().values()) if model else 0,
        timing=timing or {},
        environment=environment(plan.device),
        config=plain(plan.config),
    )
