"""One whole pre-training: from its configuration to an encoder in the official layout."""

import logging
import operator
from pathlib import Path
from typing import Any

import torch

from harness.config.schema import plain
from harness.encoders.weights import write_weights
from harness.errors import ConfigError, HarnessError
from harness.pretrain.config import PretrainConfig
from harness.pretrain.exported_model import OPTIONS, RECORD, SOFTMAX, VOCABULARY, WEIGHTS
from harness.pretrain.preparation import Preparation, prepare
from harness.pretrain.trainer import CARRIED, CHECKPOINT, HISTORY, BiLmTrainer
from harness.protocols import Tracker
from harness.runs.environment import environment
from harness.runs.tracker import build_tracker
from harness.training.determinism import default_threads
from harness.utils.console import human_bytes
from harness.utils.files import file_digest, read_written_json, write_json, write_tensors
from harness.utils.memory import keep_freed_memory
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)


def pretrain(config: PretrainConfig, *, stop: Stop) -> dict[str, Any]:
    """Train a biLM and export it to ``config.out``.

    A finished training is recognised and not repeated. A stopped training continues from its checkpoint.

    Args:
        config: The resolved configuration of one training.
        stop: Asked after every update whether to stop.

    Returns:
        The contents of ``pretraining.json``.

    Raises:
        HarnessError: The request is wrong, or the training failed.
        Interrupted: A stop was requested, and the checkpoint is written.
    """
    torch.set_num_threads(config.threads or default_threads())
    keep_freed_memory()
    prepared = prepare(config)
    folder = prepared.folder
    if config.overwrite and (folder / RECORD).exists():  # an unfinished training continues
        for name in (RECORD, CHECKPOINT):
            (folder / name).unlink(missing_ok=True)
    finished = _finished(prepared)
    if finished is not None:
        (folder / CHECKPOINT).unlink(missing_ok=True)  # a process that was killed just before its end leaves it
        log.info("%s is finished (overwrite=true trains it again)", folder)
        return finished
    sizes = _parameters(prepared), len(prepared.vocabulary), prepared.train.num_tokens, prepared.total_steps
    log.info("%s: %d parameters, softmax over %d words; %d tokens of text, %d updates", config.model.name, *sizes)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)  # seeds dropout
    tracker = _tracker(config, folder)
    trainer = BiLmTrainer(prepared=prepared, tracker=tracker, stop=stop)
    try:
        trainer.fit()
    except (Interrupted, HarnessError) as reason:
        status = "interrupted" if isinstance(reason, Interrupted) else "failed"
        tracker.finish(_for_tracker(status=status, error=str(reason)), {})
        raise
    record = _export(prepared, trainer)
    files = {name: str(folder / name) for name in (RECORD, HISTORY, OPTIONS, WEIGHTS)}
    metrics = {"dev": record["perplexity"]["after"] or {}}
    tracker.finish(_for_tracker(status="ok", metrics=metrics, timing=record["timing"]), files)
    log.info("%s: %s", folder / WEIGHTS, human_bytes((folder / WEIGHTS).stat().st_size))
    return record


def _export(prepared: Preparation, trainer: BiLmTrainer) -> dict[str, Any]:
    """Write the encoder in the official layout, the softmax, the vocabulary and, last, the record; return it."""
    config, folder, train, progress = prepared.config, prepared.folder, prepared.train, trainer.progress
    write_json(folder / OPTIONS, prepared.options)
    write_weights(folder / WEIGHTS, prepared.network.official(), precision=config.weights_precision)
    write_tensors(folder / SOFTMAX, prepared.network.softmax.state_dict())
    prepared.vocabulary.write(folder / VOCABULARY)
    last = progress.history[-1] if progress.history else {}
    after = {name.removeprefix("dev/"): value for name, value in last.items() if name.startswith("dev/")}
    tokens_seen = progress.step * config.trainer.tokens_per_update
    record = {
        "identity": prepared.identity,
        "text": {
            "train": config.data.train,
            "dev": config.data.dev,
            "sha256": train.digest,
            "sentences": len(train),
            "tokens": train.num_tokens,
            "types": len(train.words),
        },
        "parameters": _parameters(prepared),
        "vocabulary": len(prepared.vocabulary),
        "steps": progress.step,
        "tokens_seen": tokens_seen,
        "perplexity": {"state": CARRIED, "before": progress.before, "after": after or None},
        "timing": {"train_s": progress.seconds, "tokens_per_s": tokens_seen / progress.seconds},
        "environment": environment(prepared.device),
        "config": plain(config),
        "sha256": {name: file_digest(folder / name) for name in (OPTIONS, WEIGHTS, SOFTMAX, VOCABULARY)},
    }
    write_json(folder / RECORD, record)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return record


def _finished(prepared: Preparation) -> dict[str, Any] | None:
    """Return the record of this training if it is finished; refuse a folder that holds another one."""
    path = prepared.folder / RECORD
    if not path.exists():
        return None
    try:
        record: dict[str, Any] = read_written_json(path, fix="delete it to train again")
        same = (record["identity"], record["steps"]) == (prepared.identity, prepared.total_steps)
        _check_shown(record)
    except (TypeError, LookupError) as error:
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise HarnessError(f"{path}: not the record of a training ({reason}); delete it to train again") from None
    if not same:
        raise ConfigError(
            f"out={prepared.folder} holds an encoder trained with other options or text; "
            "choose another folder, or add overwrite=true"
        )
    return record


def _check_shown(record: dict[str, Any]) -> None:
    """Check the types of what the command shows of a record.

    Raises:
        TypeError: A value is of another type.
        LookupError: A value is missing.
    """
    for name in ("parameters", "tokens_seen", "steps"):
        operator.index(record[name])
    for moment in ("before", "after"):
        values = record["perplexity"][moment] or {"forward": 0.0, "backward": 0.0}
        if not all(isinstance(values[direction], float) for direction in ("forward", "backward")):
            raise TypeError(f"the perplexity {moment} is no number")


def _parameters(prepared: Preparation) -> int:
    """Return the number of parameters of the encoder."""
    return sum(parameter.numel() for parameter in prepared.network.bilm.parameters())


def _tracker(config: PretrainConfig, folder: Path) -> Tracker:
    return build_tracker(
        config.tracking,
        config.plugins,
        run_name=f"pretrain-{config.model.name}-{folder.name}",
        run_group=f"pretrain-{config.model.name}",
        run_tags=["task:pretrain", f"model:{config.model.name}"],
        job_type="pretrain",
        config=plain(config),
    )


def _for_tracker(**values: Any) -> dict[str, Any]:
    """Return the fields of a record that a tracker reads."""
    return {"task": "pretrain", "metrics": {}, "timing": {}, "best_epoch": 0, **values}
