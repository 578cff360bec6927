"""A pre-training, whole: from a typed config to an encoder in the official layout."""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from harness.config.instantiate import build
from harness.encoders.elmo import StatePolicy
from harness.encoders.options import parse_options, read_options
from harness.encoders.random_elmo import random_weights
from harness.encoders.weights import read_weights
from harness.errors import ConfigError, HarnessError
from harness.pretrain.config import PretrainConfig
from harness.pretrain.corpus import Corpus, open_corpus
from harness.pretrain.export import (
    OPTIONS,
    RECORD,
    SOFTMAX,
    VOCABULARY,
    WEIGHTS,
    as_official,
    load_softmax,
    write_network,
)
from harness.pretrain.network import PretrainingNetwork
from harness.pretrain.perplexity import Perplexity, perplexity
from harness.pretrain.tokenized_text import files_of
from harness.pretrain.trainer import CHECKPOINT, HISTORY, Pretraining
from harness.pretrain.vocabulary import Vocabulary
from harness.protocols import Tracker
from harness.runs.environment import environment
from harness.tracking.wandb_tracker import NoTracker
from harness.types import Sentence
from harness.utils.console import human_bytes
from harness.utils.devices import device_of
from harness.utils.files import file_digest, write_json
from harness.utils.signals import Interrupted, Stop

log = logging.getLogger(__name__)

_READ = (OPTIONS, WEIGHTS, SOFTMAX, VOCABULARY)  # what a training that starts from a folder reads of it
_CARRIED: StatePolicy = "carry"  # training carries state, and so does the held-out text


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a pre-training is made of, before anything is trained."""

    network: PretrainingNetwork
    options: dict[str, Any]
    train: Corpus
    dev: list[Sentence]
    vocabulary: Vocabulary
    softmax_given: bool
    total_steps: int
    identity: str


def pretrain(config: PretrainConfig, *, stop: Stop) -> dict[str, Any]:
    """Train a biLM and export it to ``config.out``; return the record that lies beside it.

    A finished training is recognised and not repeated; one that was stopped goes on.

    Raises:
        HarnessError: the request is wrong, or training failed.
        Interrupted: a stop was asked for; the same command goes on.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    device, folder = device_of(config.device), Path(config.out).expanduser()
    parts = prepare(config)
    if config.overwrite and (folder / RECORD).exists():  # what is unfinished goes on
        for name in (RECORD, CHECKPOINT):
            (folder / name).unlink(missing_ok=True)
    for stale in folder.glob(f".{CHECKPOINT}.*.tmp"):  # of a process that was killed while it wrote
        stale.unlink()
    done = _finished(folder, parts)
    if done is not None:
        log.info("%s is finished (overwrite=true trains it anew)", folder)
        return done
    network, vocabulary = parts.network.to(device), parts.vocabulary
    log.info(
        "%s: %s parameters and a softmax over %s words; %s tokens of text, %s updates",
        config.model.name,
        f"{sum(p.numel() for p in network.bilm.parameters()):,}",
        f"{len(vocabulary):,}",
        f"{parts.train.num_tokens:,}",
        f"{parts.total_steps:,}",
    )
    folder.mkdir(parents=True, exist_ok=True)

    def held_out() -> Perplexity:
        return perplexity(network, parts.dev, vocabulary, state=_CARRIED)

    torch.manual_seed(config.seed)  # of dropout
    track = _tracker(config, folder)
    training = Pretraining(
        network=network,
        corpus=parts.train,
        vocabulary=vocabulary,
        config=config,
        total_steps=parts.total_steps,
        folder=folder,
        identity=parts.identity,
        device=device,
        held_out=held_out if parts.dev else None,
        measure_before=parts.softmax_given,
        track=track,
        stop=stop,
    )
    try:
        training.fit()
    except (Interrupted, HarnessError) as reason:
        status = "interrupted" if isinstance(reason, Interrupted) else "failed"
        track.finish(_for_tracker(status=status, error=str(reason)), {})
        raise
    return export(config, parts, training, folder, device=device, track=track)


def prepare(config: PretrainConfig) -> Parts:
    """Read the text, choose the vocabulary, and make the network with its initial weights.

    Raises:
        HarnessError: the request is wrong.
    """
    init = Path(config.init).expanduser() if config.init else None
    paths = files_of(config.data.train, option="data.train")
    dev_paths = files_of(config.data.dev, option="data.dev") if config.data.dev else []
    cache_dir, tokenize = Path(config.cache_dir).expanduser(), config.text.tokenize
    train = open_corpus(paths, tokenize=tokenize, cache_dir=cache_dir)
    dev = [open_corpus([path], tokenize=tokenize, cache_dir=cache_dir) for path in dev_paths]
    network, options, vocabulary = initial_network(config, train, init)
    trainer = config.trainer
    a_step = trainer.streams * trainer.window * trainer.accumulate
    total = max(1, round(trainer.epochs * (train.num_tokens + len(train)) / a_step))
    identity = {
        "config": config.determining(),
        "train": train.digest,
        "init": _digests(init),
        "dev": [corpus.digest for corpus in dev],
        "dev_tokens": config.dev_tokens,
        "weights_precision": config.weights_precision,
    }
    return Parts(
        network=network,
        options=options,
        train=train,
        dev=[sentence for corpus in dev for sentence in _first(corpus, config.dev_tokens)],
        vocabulary=vocabulary,
        softmax_given=init is not None and (init / SOFTMAX).exists(),
        total_steps=min(total, trainer.max_steps or total),
        identity=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
    )


def initial_network(
    config: PretrainConfig, train: Corpus, init: Path | None
) -> tuple[PretrainingNetwork, dict[str, Any], Vocabulary]:
    """Return the untrained network, the contents of its ``options.json``, and the words it predicts.

    Args:
        config: names the architecture where there is nothing to start from.
        train: the text, whose most frequent words are the vocabulary unless a softmax is given.
        init: a folder to start from: an encoder, and its softmax if that is there too.

    Raises:
        HarnessError: the architecture is impossible, or a file is missing or damaged.
    """
    if init is None:
        options = as_official(config.model.options)
        architecture = parse_options(options, source="model.options")
        weights = random_weights(architecture, seed=config.seed)
    else:
        architecture = read_options(init / OPTIONS)
        options = as_official(json.loads((init / OPTIONS).read_text(encoding="utf-8")))
        weights = read_weights(init / WEIGHTS, architecture)
    given = init / SOFTMAX if init is not None and (init / SOFTMAX).exists() else None
    if given is not None:
        vocabulary = Vocabulary.read(given.with_name(VOCABULARY))
    else:
        vocabulary = Vocabulary.most_frequent(train.words, train.counts.tolist(), size=config.model.vocabulary)
    torch.manual_seed(config.seed)  # of the softmax
    network = PretrainingNetwork(architecture, vocabulary_size=len(vocabulary), dropout=config.model.dropout)
    network.load_official(weights)
    if given is not None:
        load_softmax(network, given)
    elif init is not None:
        log.warning("%s has no %s: a new softmax learns from the start; no perplexity before", init, SOFTMAX)
    return network, options, vocabulary


def export(
    config: PretrainConfig, parts: Parts, training: Pretraining, folder: Path, *, device: str, track: Tracker
) -> dict[str, Any]:
    """Write the encoder in the official layout, the softmax, the vocabulary and, last, the record."""
    network, progress = training.network, training.progress
    write_network(
        folder, network, options=parts.options, vocabulary=parts.vocabulary, precision=config.weights_precision
    )
    last = progress.history[-1] if progress.history else {}
    after = {name.removeprefix("dev/"): value for name, value in last.items() if name.startswith("dev/")}
    record = {
        "identity": parts.identity,
        "text": {
            "train": config.data.train,
            "dev": config.data.dev,
            "sha256": parts.train.digest,
            "sentences": len(parts.train),
            "tokens": parts.train.num_tokens,
            "types": len(parts.train.words),
        },
        "parameters": sum(p.numel() for p in network.bilm.parameters()),
        "vocabulary": len(parts.vocabulary),
        "steps": progress.step,
        "tokens_seen": progress.step * training.tokens_a_step,
        "perplexity": {"state": _CARRIED, "before": progress.before, "after": after or None},
        "timing": {
            "train_s": progress.seconds,
            "tokens_per_s": progress.step * training.tokens_a_step / progress.seconds,
        },
        "environment": environment(device),
        "config": asdict(config),
        "sha256": {name: file_digest(folder / name) for name in (OPTIONS, WEIGHTS, SOFTMAX, VOCABULARY)},
    }
    write_json(folder / RECORD, record)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    files = {name: str(folder / name) for name in (RECORD, HISTORY, OPTIONS, WEIGHTS)}
    track.finish(_for_tracker(status="ok", metrics={"dev": after}, timing=record["timing"]), files)
    log.info("%s: %s", folder / WEIGHTS, human_bytes((folder / WEIGHTS).stat().st_size))
    return record


def _digests(init: Path | None) -> dict[str, str] | None:
    """Return what tells the weights that a training starts from."""
    if init is None:
        return None
    return {name: file_digest(init / name) for name in _READ if (init / name).exists()}


def _finished(folder: Path, parts: Parts) -> dict[str, Any] | None:
    """Return the record of this training if it has ended.

    Raises:
        ConfigError: the folder holds another one.
    """
    if not (folder / RECORD).exists():
        return None
    record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    if record["identity"] != parts.identity or record["steps"] != parts.total_steps:
        raise ConfigError(
            f"out={folder} holds an encoder trained with other options or text; "
            "choose another folder, or overwrite=true"
        )
    return record


def _first(corpus: Corpus, tokens: int) -> list[Sentence]:
    """Return the first sentences of a corpus, about so many tokens."""
    kept: list[Sentence] = []
    size = 0
    for index in range(len(corpus)):
        if size >= tokens:
            break
        kept.append(corpus.words_of(index))
        size += len(kept[-1])
    return kept


def _tracker(config: PretrainConfig, folder: Path) -> Tracker:
    tracker: Tracker | None = build(
        config.tracking,
        where="tracking",
        prefixes=config.plugins,
        run_name=f"pretrain-{config.model.name}-{folder.name}",
        run_group=f"pretrain-{config.model.name}",
        run_tags=["task:pretrain", f"model:{config.model.name}"],
        job_type="pretrain",
        config=asdict(config),
    )
    return NoTracker() if tracker is None else tracker


def _for_tracker(**values: Any) -> dict[str, Any]:
    """Return the fields of a record that a tracker reads."""
    return {"task": "pretrain", "metrics": {}, "timing": {}, "best_epoch": 0, **values}
