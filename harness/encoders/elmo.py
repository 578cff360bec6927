"""ELMo as a frozen encoder: it maps words to layers, with an explicit policy for the LSTM state."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from harness.config.bounds import Positive
from harness.encoders.bfloat16 import Dtype, in_bfloat16, rounding_error
from harness.encoders.bilm import BiLmState, build_bilm, map_state
from harness.encoders.burn_in import BURN_IN, after_boundary, burn_in_state
from harness.encoders.char_ids import BOS, EOS
from harness.encoders.kernels.async_copy import host_copy, one_ahead
from harness.encoders.kernels.frozen_char_cnn import FrozenCharCnn
from harness.encoders.kernels.streams import Streams
from harness.encoders.lexicon import Lexicon
from harness.encoders.model_archive import files_of_model
from harness.encoders.model_card import model_card
from harness.encoders.options import BiLmOptions, read_options
from harness.encoders.weights import read_weights
from harness.encoders.word_vector_cache import WordVectorCache
from harness.errors import ConfigError
from harness.nn.packing import Packing
from harness.types import Sentence, check_sentences
from harness.utils.download import local_file
from harness.utils.files import file_digest

StatePolicy = Literal["zeros", "warm", "carry"]
_MAX_TOKENS = {"cpu": 4096, "cuda": 16384}
_VERSION = 2  # increased whenever the same weights would give other vectors


def load_elmo(
    *,
    name: str,
    options: str | None = None,
    weights: str | None = None,
    path: str | None = None,
    state: StatePolicy = "warm",
    cache_dir: str,
    dtype: Dtype = "float32",
    max_tokens: Positive | None = None,
    carry_rows: Positive = 32,
    device: str = "cpu",
) -> "ElmoEncoder":
    """Load a biLM in the official layout.

    Args:
        name: A short name for tables.
        options: Path or URL of the ``options.json``.
        weights: Path or URL of the ``.hdf5``.
        path: Instead of these two: a folder with both, or the path or URL of a zip with both.
        state: The LSTM state from which sentences start: ``zeros``, ``warm`` or ``carry``; see ``ElmoEncoder``.
        cache_dir: The folder in which downloads are kept.
        dtype: Type of the matrix products, ``float32`` or ``bfloat16``.
        max_tokens: See ``ElmoEncoder``.
        carry_rows: Number of rows of a batch under ``carry``.
        device: Torch device on which to compute.

    Raises:
        ConfigError: Neither ``path`` nor ``options`` and ``weights`` are given, or all of them.
        WeightsError: A file is missing or damaged, or the files do not fit each other.
        DownloadError: A URL cannot be downloaded.
    """
    downloads = Path(cache_dir) / "encoders" / name
    if path is not None and options is None and weights is None:
        options_path, weights_path = files_of_model(path, folder=downloads)
    elif path is None and options is not None and weights is not None:
        options_path, weights_path = local_file(options, folder=downloads), local_file(weights, folder=downloads)
    else:
        raise ConfigError("give either encoder.path=FOLDER_OR_ZIP, or encoder.options=... and encoder.weights=...")
    architecture = read_options(options_path)
    return ElmoEncoder(
        name=name,
        options=architecture,
        weights=read_weights(weights_path, architecture),
        weights_digest=file_digest(weights_path),
        model_card=model_card(weights_path.parent),
        state=state,
        dtype=dtype,
        max_tokens=max_tokens,
        carry_rows=carry_rows,
        device=device,
    )


class ElmoEncoder:
    """A frozen biLM behind the ``Encoder`` protocol.

    The official code carries the LSTM state from one batch to the next, so the vectors of a sentence depend on what was
    encoded before it. ``zeros`` starts every sentence from the zero state, and ``warm`` from the state after one fixed
    burn-in text; with both, the vectors of a sentence depend on nothing else. On a CPU this holds for every bit: the
    sentences that are encoded together, their order and the number of threads change nothing. ``carry`` is the official
    behaviour: sentences are taken in the given order, ``carry_rows`` at a time, and row i continues from the last state
    of row i.

    Args:
        name: A short name for tables.
        options: The architecture.
        weights: A tensor for each name in the official file.
        weights_digest: A digest that identifies the weights, and the lexicon if there is one.
        lexicon: The characters and words of the model; None: the bytes of the official model, and no words.
        model_card: What the model card is called; see ``harness.encoders.model_card``.
        state: The state policy, ``zeros``, ``warm`` or ``carry``.
        dtype: Type of the matrix products. ``bfloat16`` rounds them (``rounding_error`` says how much), and some
            processors compute it faster.
        max_tokens: About how many tokens are encoded together, at least 1: on a CPU for every two threads, on a GPU at
            most, except in one longer sentence. It limits memory. None: 4,096, on a GPU 16,384.
        carry_rows: Number of rows of a batch under ``carry``, at least 1.
        device: Torch device on which to compute.
    """

    word_layer = True  # layer 0 depends on the word alone

    def __init__(
        self,
        *,
        name: str,
        options: BiLmOptions,
        weights: Mapping[str, Tensor],
        weights_digest: str,
        lexicon: Lexicon | None = None,
        model_card: str = "",
        state: StatePolicy = "warm",
        dtype: Dtype = "float32",
        max_tokens: int | None = None,
        carry_rows: int = 32,
        device: str = "cpu",
    ) -> None:
        self.name, self.options, self.state, self.dtype = name, options, state, dtype
        self.model_card = model_card
        self.bilm, self.rounding_error = build_bilm(options, weights, lexicon).to(device), 0.0
        if dtype == "bfloat16":
            exact, self.bilm = self.bilm, in_bfloat16(self.bilm)
            self.rounding_error = rounding_error(self.bilm, exact)
        tables = [] if lexicon is None else [lexicon.word_table]
        self.num_parameters = sum(weight.numel() for weight in (*weights.values(), *tables))
        self._device = torch.device(device)
        self._max_tokens = _MAX_TOKENS[self._device.type] if max_tokens is None else max_tokens
        self._carry_rows = carry_rows
        self.fingerprint = self._fingerprint(weights_digest)
        if state == "carry":
            self._carried = map_state(self.bilm.zero_state(carry_rows), torch.clone)  # no two tensors share memory

    def _fingerprint(self, weights_digest: str) -> str:
        """Return a hex digest of everything that determines the vectors."""
        identity: dict[str, Any] = {"version": _VERSION, "weights": weights_digest, "state": self.state}
        identity["options"] = asdict(self.options)
        if self.dtype != "float32":
            identity["dtype"] = self.dtype
        if self.state == "warm":
            identity["burn_in"] = BURN_IN
        if self.state == "carry":
            identity["rows"] = self._carry_rows
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    @property
    def num_layers(self) -> int:
        """Number of layers of each token: the word vector, and the LSTM layers."""
        return self.options.n_layers + 1

    @property
    def dim(self) -> int:
        """Width of each layer: both directions."""
        return 2 * self.options.projection_dim

    @property
    def cacheable(self) -> bool:
        """Whether the vectors of a sentence do not depend on what was encoded before it."""
        return self.state != "carry"

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        """Yield ``(index, float32 (layers, tokens, dim))`` for every sentence.

        They come in any order, except under ``carry``, which keeps the given one.

        Raises:
            ConfigError: A sentence is a string instead of a sequence of words.
        """
        check_sentences(sentences)
        encoded = ((batch, self._encode_batch([sentences[i] for i in batch])) for batch in self._batches(sentences))
        for batch, fetch in one_ahead(encoded) if self._device.type == "cuda" else encoded:
            yield from zip(batch, fetch(), strict=True)

    def _batches(self, sentences: Sequence[Sentence]) -> Iterator[list[int]]:
        """Yield the indices of the sentences of each batch."""
        indices = list(range(len(sentences)))
        if self.state == "carry":
            yield from (indices[start : start + self._carry_rows] for start in indices[:: self._carry_rows])
            return
        longest_first = sorted(indices, key=lambda i: -len(sentences[i]))
        if self._streams:  # short sentences fill the steps that long ones leave, so every batch has all lengths
            count = -(-sum(map(len, sentences)) // (self._max_tokens * max(1, torch.get_num_threads() // 2))) or 1
            yield from filter(None, (longest_first[first::count] for first in range(count)))
            return
        batch: list[int] = []
        tokens = 0
        for i in longest_first:
            if batch and tokens + len(sentences[i]) > self._max_tokens:
                yield batch
                batch, tokens = [], 0
            batch.append(i)
            tokens += len(sentences[i])
        if batch:
            yield batch

    @torch.inference_mode()
    def _encode_batch(self, batch: Sequence[Sentence]) -> Callable[[], list[Tensor]]:
        """Encode sentences together; return a function that gives their vectors, (layers, tokens, dim), on the CPU."""
        carries = self.state == "carry"
        rows = sorted((row for row in range(len(batch)) if carries or batch[row]), key=lambda row: -len(batch[row]))
        if not rows:
            return lambda: [torch.empty(self.num_layers, 0, self.dim)] * len(batch)
        words = [(BOS, *batch[row], EOS) if carries else batch[row] for row in rows]
        lengths = [len(sentence) for sentence in words]
        types, places = self._words.of([word for sentence in words for word in sentence])  # (types, dim), (positions,)
        if self._streams:
            layers = self._streams.run(types, places, lengths, self._start)  # (layers, positions, dim)
        else:
            before = map_state(self._carried, lambda tensor: tensor[rows]) if carries else self._repeat(len(rows))
            layers, after = self.bilm(types, places, Packing.of(lengths), before)  # (layers, positions, dim)
            if carries:
                self._store(after, rows)
        copied, boundary = host_copy(layers), 1 if carries else 0

        def fetch() -> list[Tensor]:
            on_host = copied()  # (layers, positions, dim)
            vectors = [on_host[:, :0]] * len(batch)
            for row, one in zip(rows, on_host.split(lengths, dim=1), strict=True):
                vectors[row] = one[:, boundary : boundary + len(batch[row])]
            return vectors

        return fetch

    @cached_property
    def _words(self) -> WordVectorCache:
        """The vectors of words that have been encoded before."""
        with torch.inference_mode(False):  # so that it can be used outside of it too
            return WordVectorCache(FrozenCharCnn(self.bilm.char_cnn) if self._streams else self.bilm.char_cnn)

    @cached_property
    def _streams(self) -> Streams | None:
        """The LSTMs on a CPU; None on a GPU, and if every row has a state of its own."""
        return Streams(self.bilm) if self._device.type == "cpu" and self.state != "carry" else None

    @cached_property
    def _start(self) -> BiLmState:
        """The state from which every sentence continues after its first boundary token, which is read only once."""
        start = burn_in_state(self.bilm) if self.state == "warm" else self.bilm.zero_state(1)
        return after_boundary(self.bilm, start)

    def _repeat(self, rows: int) -> BiLmState:
        """Return the start state of ``rows`` sentences."""
        return map_state(self._start, lambda tensor: tensor.expand(rows, -1))

    def _store(self, after: BiLmState, rows: list[int]) -> None:
        """Keep the state of each row for the next batch."""
        for old_layers, new_layers in zip(self._carried, after, strict=True):
            for old, new in zip(old_layers, new_layers, strict=True):
                old.hidden[rows] = new.hidden
                old.cell[rows] = new.cell
