"""Execute one run: from a typed configuration to a record on disk."""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from harness.config.schema import HarnessConfig, plain
from harness.config.secrets import without_values
from harness.encoders.plugin_encoder import model_card_of
from harness.errors import HarnessError, described
from harness.features.layer_norms import layer_norms
from harness.features.store import FeatureStore, precision_of
from harness.optional_protocols import Decomposable, Linked
from harness.protocols import Fitted, Tracker
from harness.runs.cost import run_cost
from harness.runs.model_file import MODEL, OLD_MODEL, write_model
from harness.runs.plan import Plan, SharedObjects, build_model, prepare, sentences
from harness.runs.predictions import write_predictions
from harness.runs.record import (
    CHECKPOINT,
    COUNTS,
    LOCK,
    RUN_FILES,
    RunRecord,
    finished_record,
    finished_run,
    write_record,
)
from harness.runs.tracker import start_tracker
from harness.training.code_length import OnlineCode
from harness.training.evaluation import counts_of, evaluate
from harness.training.fitting import fit_in_one_pass
from harness.training.model import Model
from harness.training.trainer import Progress, Trainer
from harness.types import SPLITS
from harness.utils.checkpoint import remove_checkpoints
from harness.utils.files import file_digest, write_text
from harness.utils.locks import ProcessLock
from harness.utils.memory import peak_memory, reset_peak_memory
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)


def run(config: HarnessConfig, *, stop: Stop, shared: SharedObjects | None = None) -> RunRecord:
    """Train and score one task on frozen features; write its record and return it.

    A finished run is recognised and not repeated; an interrupted one is resumed. If another process executes the
    same run, this function waits for it.

    Args:
        config: The typed configuration of the run.
        stop: Tells whether to stop.
        shared: Objects that earlier runs of this process built.

    Returns:
        The record; its status is ``interrupted`` if a stop was requested during the run.

    Raises:
        HarnessError: The request is wrong, or the run failed; in the second case the record says so too.
        Interrupted: A stop was requested while another process was running it.
    """
    plan = prepare(config, shared)
    if not config.overwrite and (done := _finished(plan)) is not None:
        return done
    torch.manual_seed(config.seed)  # for the initial weights
    model = build_model(plan)
    with _folder_locked(plan.folder, stop):
        if config.overwrite:
            remove_checkpoints(plan.folder)
            for name in ("record.json", OLD_MODEL):
                (plan.folder / name).unlink(missing_ok=True)
        return _finished(plan) or _run_and_record(plan, model, stop)


def _finished(plan: Plan) -> RunRecord | None:
    """Return the record of a run that need not be repeated."""
    done = finished_run(plan.folder)
    if done is not None:
        log.info("%s is finished (overwrite=true runs it again)", plan.folder)
        if (known := done.data["name"]) != plan.task.data_name:
            log.info("its data are called '%s', but are the same examples as those of '%s'", known, plan.task.data_name)
    return done


@contextmanager
def _folder_locked(folder: Path, stop: Stop) -> Iterator[None]:
    """Hold the lock of a run's folder; wait if another process holds it."""
    lock = ProcessLock(folder / LOCK)
    with lock.held(check=stop.check):
        yield
        if finished_record(folder) is not None:
            lock.path.unlink(missing_ok=True)  # a process that is waiting now will find the record


def _run_and_record(plan: Plan, model: Model, stop: Stop) -> RunRecord:
    """Execute a run, and write a record of it even if it fails or is interrupted."""
    tracker = start_tracker(plan)
    progress = Progress()
    try:
        record = _execute(plan, model, tracker, stop, progress)
    except Interrupted as reason:
        record = _record_of(plan, model, progress, status="interrupted", error=str(reason))
    except Exception as error:
        record = _record_of(plan, model, progress, status="failed", error=_described(error, plan))
        _save(plan, record, progress, tracker)
        if isinstance(error, HarnessError):
            error.recorded = True
        raise
    return _save(plan, record, progress, tracker)


def _described(error: Exception, plan: Plan) -> str:
    """Return an error for the record, which holds no value from the environment."""
    known = f"{type(error).__name__}: {error}" if isinstance(error, HarnessError) else described(error)
    return without_values(known, plain(plan.config))


def _save(plan: Plan, record: RunRecord, progress: Progress, tracker: Tracker) -> RunRecord:
    """Write the record and the history of a run to disk; then hand them to the tracker, whose page the record names."""
    if isinstance(tracker, Linked):
        record = replace(record, url=tracker.url)
    write_text(plan.folder / "history.jsonl", "".join(json.dumps(row) + "\n" for row in progress.history))
    write_record(plan.folder, record)
    if record.status == "ok":
        remove_checkpoints(plan.folder)
    files = {name: str(plan.folder / name) for name in RUN_FILES if (plan.folder / name).exists()}
    tracker.finish(asdict(record), files)
    return record


def _execute(plan: Plan, model: Model, tracker: Tracker, stop: Stop, progress: Progress) -> RunRecord:
    """Encode, train and score; write predictions and weights, and return the record."""
    reset_peak_memory(plan.device)
    started = time.perf_counter()
    log.info("%s: %s", plan.name, plan.sizes)
    if plan.coverage is not None:
        tokens, types = 100 * plan.coverage.tokens, 100 * plan.coverage.types
        log.info("static vectors cover %.1f %% of tokens, %.1f %% of types", tokens, types)
        if tokens < 0.05:  # shown as 0.0
            log.warning("almost no word has a static vector; check embedding.path, and embedding.case=lower")
    filled = model.features.fill(sentences(plan.examples), check=stop.check)
    encode_s = time.perf_counter() - started
    if plan.encoder is not None and not plan.encoder.cacheable:
        remove_checkpoints(plan.folder)  # they lack the encoder's state, so restart the run
    code_length = _code_length(plan, model, stop)
    torch.manual_seed(plan.config.seed)  # for dropout; nothing else draws from torch's global generator
    parts = {"task": plan.task, "model": model, "train": plan.examples["train"], "dev": plan.examples["dev"]}
    shared: dict[str, Any] = {**parts, "options": plan.config.trainer, "track": tracker, "stop": stop}
    if isinstance(model.head, Fitted):
        fit_in_one_pass(**shared, state=progress)
    else:
        checkpoint = plan.folder / CHECKPOINT
        seed, device = plan.config.seed, plan.device
        Trainer(**shared, seed=seed, device=device, checkpoint=checkpoint, progress=progress).fit()
    score_start = time.perf_counter()
    scored = {split: evaluate(plan.task, model, plan.examples[split], plan.config.trainer) for split in SPLITS[1:]}
    write_predictions(
        plan.folder / "predictions.jsonl",
        {split: (plan.examples[split], predictions) for split, (_, predictions) in scored.items()},
    )
    if isinstance(plan.task, Decomposable):
        counts = {
            split: counts_of(plan.task, plan.examples[split], given, score=metrics[plan.task.primary_metric])
            for split, (metrics, given) in scored.items()
        }
        if all(counts.values()):
            write_text(plan.folder / COUNTS, json.dumps(counts) + "\n")
    weights = plan.folder / MODEL
    write_model(weights, task=plan.task, model=model, texts=list(plan.examples["train"][0].texts))
    timing = {
        "encode_s": encode_s,
        "train_s": progress.seconds,
        "total_s": encode_s + progress.seconds + time.perf_counter() - score_start,
        "tokens_encoded": model.features.tokens_encoded,
        "cache_hit_rate": filled.hit_rate,
    }
    cost = run_cost(plan, model, progress, filled=filled, memory=peak_memory(plan.device))
    norms = _layer_norms(plan, model)
    metrics = {str(split): dict(metrics.values) for split, (metrics, _) in scored.items()}
    ending = {"metrics": metrics, "timing": timing, "weights_sha256": file_digest(weights)}
    ending["code_length"] = code_length
    return _record_of(plan, model, progress, status="ok", cost=cost, norms=norms, **ending)


def _layer_norms(plan: Plan, model: Model) -> dict[str, list[float]]:
    """Return the mean norm of each layer in the training data; nothing if no weight of a layer is learned."""
    store, mixes = model.features.source, model.features.mixes
    if not isinstance(store, FeatureStore) or all(value.numel() < 2 for value in mixes.parameters()):
        return {}
    return {"norms": layer_norms(store, list(sentences({"train": plan.examples["train"]})))}


def _code_length(plan: Plan, model: Model, stop: Stop) -> dict[str, Any]:
    """Return the online code length of the training labels; nothing if it is not asked for."""
    if not plan.config.code_length:
        return {}
    code = OnlineCode(
        task=plan.task,
        model=model,
        train=plan.examples["train"],
        dev=plan.examples["dev"],
        options=plan.config.trainer,
        seed=plan.config.seed,
        device=plan.device,
        folder=plan.folder,
        stop=stop,
    )
    return code.measure().values()


def _record_of(
    plan: Plan, model: Model, progress: Progress, *, norms: Mapping[str, Any] | None = None, **ending: Any
) -> RunRecord:
    """Return the record of a run; ``ending`` has the fields that depend on how it ended."""
    encoder, static, mixing = plan.encoder, plan.static, plan.mixing
    return RunRecord(
        task=plan.task.name,
        task_version=plan.task.version,
        name=plan.name,
        identity=plan.identity,
        setting=plan.setting,
        determining=plan.determining,
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
            "model_card": model_card_of(encoder) if encoder else "",
            **(precision_of(encoder) if encoder else {}),
        },
        embedding={
            "name": static.name if static else "none",
            "fingerprint": static.fingerprint if static else "",
            "dim": static.dim if static else 0,
            "coverage": plan.coverage.tokens if plan.coverage else 0.0,
            "coverage_types": plan.coverage.types if plan.coverage else 0.0,
        },
        mixing={"name": mixing.name, "placement": mixing.placement, **model.features.mix_state(), **(norms or {})},
        primary_metric=plan.task.primary_metric,
        best_epoch=progress.best_epoch,
        epochs=progress.epoch,
        parameters=model.num_parameters(),
        environment=plan.environment,
        config=plain(plan.config),
        **{"timing": {"train_s": progress.seconds}, **ending},
    )
