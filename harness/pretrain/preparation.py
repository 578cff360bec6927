"""What a training needs before its first update: text, vocabulary, network with initial weights, identity."""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness.encoders.options import parse_options, read_options
from harness.encoders.random_elmo import random_weights
from harness.encoders.weights import read_weights
from harness.errors import WeightsError
from harness.pretrain.config import PretrainConfig
from harness.pretrain.corpus import Corpus, open_corpus
from harness.pretrain.exported_model import OPTIONS, SOFTMAX, VOCABULARY, WEIGHTS, as_official, load_softmax
from harness.pretrain.network import PretrainingNetwork
from harness.pretrain.tokenized_text import files_of
from harness.pretrain.vocabulary import Vocabulary
from harness.types import Sentence
from harness.utils.devices import device_of
from harness.utils.files import file_digest
from harness.utils.text_files import read_json

log = logging.getLogger(__name__)

_INITIAL = (OPTIONS, WEIGHTS, SOFTMAX, VOCABULARY)  # the files that a training with init=DIR starts from


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Everything that a training starts from.

    Attributes:
        config: The resolved configuration of the training.
        folder: The folder to export to.
        device: The torch device to compute on.
        network: The network with its initial weights.
        options: The contents of its ``options.json``.
        train: The text to train on.
        dev: Held-out sentences; empty if there is no held-out text.
        vocabulary: The words of the softmax.
        softmax_given: Whether the softmax comes from an earlier training.
        total_steps: Number of updates.
        identity: A digest of everything that determines the result.
    """

    config: PretrainConfig
    folder: Path
    device: str
    network: PretrainingNetwork
    options: dict[str, Any]
    train: Corpus
    dev: list[Sentence]
    vocabulary: Vocabulary
    softmax_given: bool
    total_steps: int
    identity: str


def prepare(config: PretrainConfig) -> Preparation:
    """Read the text, choose the vocabulary, and make the network with its initial weights.

    Raises:
        HarnessError: The request is wrong, or a file is missing or damaged.
    """
    device, init = device_of(config.device), Path(config.init).expanduser() if config.init else None
    paths = files_of(config.data.train, option="data.train")
    dev_paths = files_of(config.data.dev, option="data.dev") if config.data.dev else []
    cache_dir, tokenize = Path(config.cache_dir).expanduser(), config.text.tokenize
    train = open_corpus(paths, tokenize=tokenize, cache_dir=cache_dir)
    dev = [open_corpus([path], tokenize=tokenize, cache_dir=cache_dir) for path in dev_paths]
    network, options, vocabulary = _initial_network(config, train, init)
    updates = max(1, round(config.trainer.epochs * (train.num_tokens + len(train)) / config.trainer.tokens_per_update))
    identity = {
        "config": config.determining(),
        "train": train.digest,
        "init": init and {name: file_digest(init / name) for name in _INITIAL if (init / name).exists()},
        "dev": [corpus.digest for corpus in dev],
        "dev_tokens": config.dev_tokens,
        "weights_precision": config.weights_precision,
    }
    return Preparation(
        config=config,
        folder=Path(config.out).expanduser(),
        device=device,
        network=network.to(device),
        options=options,
        train=train,
        dev=[sentence for corpus in dev for sentence in _first(corpus, config.dev_tokens)],
        vocabulary=vocabulary,
        softmax_given=init is not None and (init / SOFTMAX).exists(),
        total_steps=min(updates, config.trainer.max_steps or updates),
        identity=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
    )


def _initial_network(
    config: PretrainConfig, train: Corpus, init: Path | None
) -> tuple[PretrainingNetwork, dict[str, Any], Vocabulary]:
    """Return the untrained network, the contents of its ``options.json``, and the words that it predicts.

    With ``init``, the weights of the encoder come from that folder. So do the softmax and the vocabulary if they are
    there; otherwise the most frequent words of the text are the vocabulary.
    """
    if init is None:
        options = as_official(config.model.options)
        architecture = parse_options(options, source="model.options")
        weights = random_weights(architecture, seed=config.seed)
    else:
        architecture = read_options(init / OPTIONS)
        options = as_official(read_json(init / OPTIONS, fix="train again", error=WeightsError))
        weights = read_weights(init / WEIGHTS, architecture)
    given = init if init is not None and (init / SOFTMAX).exists() else None
    if given is not None:
        vocabulary = Vocabulary.read(given / VOCABULARY)
    else:
        vocabulary = Vocabulary.most_frequent(train.words, train.counts.tolist(), size=config.model.vocabulary)
    torch.manual_seed(config.seed)  # seeds the softmax
    network = PretrainingNetwork(options=architecture, vocabulary_size=len(vocabulary), dropout=config.model.dropout)
    network.load_official(weights)
    if given is not None:
        load_softmax(network, given / SOFTMAX)
    elif init is not None:
        log.warning("%s has no %s: a new softmax is trained, and perplexity is measured only afterwards", init, SOFTMAX)
    return network, options, vocabulary


def _first(corpus: Corpus, tokens: int) -> list[Sentence]:
    """Return the first sentences of a corpus, until they have at least ``tokens`` tokens."""
    kept: list[Sentence] = []
    size = 0
    while size < tokens and len(kept) < len(corpus):
        kept.append(corpus.words_of(len(kept)))
        size += len(kept[-1])
    return kept
