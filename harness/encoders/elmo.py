"""ELMo as a frozen encoder: words to layers, with a stated policy for the LSTM state."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from harness.encoders.bilm import BiLmState, Packing, build_bilm, map_state
from harness.encoders.burn_in import BURN_IN, after_boundary, burnt_in, load_or_make_state
from harness.encoders.char_ids import BOS, EOS
from harness.encoders.kernels.async_copy import host_copy, one_ahead
from harness.encoders.options import BiLmOptions, read_options
from harness.encoders.rounding_error import Dtype, in_bfloat16, rounding_error
from harness.encoders.weights import read_weights
from harness.encoders.word_vector_cache import KeptWordVectors
from harness.errors import ConfigError
from harness.types import Sentence
from harness.utils.download import local_file
from harness.utils.files import file_digest

StatePolicy = Literal["zeros", "warm", "carry"]
_MAX_TOKENS = {"cpu": 4096, "cuda": 16384}
_VERSION = 1  # raised whenever the same weights would give other vectors


def load_elmo(
    *,
    name: str,
    options: str,
    weights: str,
    state: StatePolicy = "warm",
    cache_dir: str,
    dtype: Dtype = "float32",
    max_tokens: int | None = None,
    carry_rows: int = 32,
    device: str = "cpu",
) -> "ElmoEncoder":
    """Load a biLM in the official layout.

    Args:
        name: a short name for tables.
        options: path or URL of the ``options.json``.
        weights: path or URL of the ``.hdf5``.
        state: see ``ElmoEncoder``.
        cache_dir: downloads and burnt-in states are kept below it.
        dtype: see ``ElmoEncoder``.
        max_tokens: see ``ElmoEncoder``.
        carry_rows: see ``ElmoEncoder``.
        device: where to compute.

    Raises:
        WeightsError: a file is missing, damaged or does not fit the other.
        DownloadError: a URL cannot be fetched.
    """
    downloads = Path(cache_dir) / "encoders" / name
    options_path, weights_path = local_file(options, folder=downloads), local_file(weights, folder=downloads)
    architecture = read_options(options_path)
    tensors = read_weights(weights_path, architecture)
    return ElmoEncoder(
        name=name,
        options=architecture,
        weights=tensors,
        weights_digest=file_digest(weights_path),
        state=state,
        cache_dir=Path(cache_dir),
        dtype=dtype,
        max_tokens=max_tokens,
        carry_rows=carry_rows,
        device=device,
    )


class ElmoEncoder:
    """A frozen biLM behind the ``Encoder`` protocol.

    The official code carries LSTM state from one batch to the next, so that a sentence's vectors depend
    on what was encoded before it. ``zeros`` starts every sentence from the zero state, ``warm`` from the
    state after one fixed burn-in text; both make a sentence's vectors its own. ``carry`` is the official
    behaviour: sentences are taken in the given order, ``carry_rows`` at a time, and row i goes on from
    the last state of row i.

    Args:
        name: a short name for tables.
        options: the architecture.
        weights: official dataset name -> tensor.
        weights_digest: identifies the weights.
        state: the state policy.
        cache_dir: where a burnt-in state is kept.
        dtype: of the matrix products: bfloat16 is fast where the processor has it, and rounds (``rounding_error``).
        max_tokens: tokens that are encoded at once (one longer sentence still fits); None: 4,096, on a GPU 16,384.
        carry_rows: rows of a batch under ``carry``.
        device: where to compute.
    """

    def __init__(
        self,
        *,
        name: str,
        options: BiLmOptions,
        weights: Mapping[str, Tensor],
        weights_digest: str,
        state: StatePolicy = "warm",
        cache_dir: Path,
        dtype: Dtype = "float32",
        max_tokens: int | None = None,
        carry_rows: int = 32,
        device: str = "cpu",
    ) -> None:
        self.name, self.options, self.state, self.dtype = name, options, state, dtype
        self.bilm, self.rounding_error = build_bilm(options, weights).to(device), 0.0
        if dtype == "bfloat16":
            exact, self.bilm = self.bilm, in_bfloat16(self.bilm)
            self.rounding_error = rounding_error(self.bilm, exact)
        self._device = torch.device(device)
        self._max_tokens = _MAX_TOKENS[self._device.type] if max_tokens is None else max_tokens
        self._carry_rows = carry_rows
        self._words = KeptWordVectors(self.bilm.char_cnn)
        if self._max_tokens < 1 or carry_rows < 1:
            raise ConfigError(f"encoder.max_tokens={max_tokens}, encoder.carry_rows={carry_rows}: expected 1 or more")
        identity: dict[str, Any] = {
            "version": _VERSION,
            "weights": weights_digest,
            "options": asdict(options),
            "state": state,
        }
        if dtype != "float32":
            identity["dtype"] = dtype
        if state == "warm":
            identity["burn_in"] = BURN_IN
        if state == "carry":
            identity["rows"] = carry_rows
        self.fingerprint = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        if state == "carry":
            self._carried = map_state(self.bilm.zero_state(carry_rows), torch.clone)  # no two share memory
            return
        start = self.bilm.zero_state(1)
        if state == "warm":
            path = cache_dir / "states" / f"{self.fingerprint}.safetensors"
            start = load_or_make_state(path, partial(burnt_in, self.bilm), device=self._device)
        # Every sentence begins alike, so that its first boundary is read once for all; the last says nothing of a word.
        self._start = after_boundary(self.bilm, start)

    word_layer = True

    @property
    def num_layers(self) -> int:
        return self.options.n_layers + 1

    @property
    def dim(self) -> int:
        return 2 * self.options.projection_dim

    @property
    def cacheable(self) -> bool:
        return self.state != "carry"

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        """Yield ``(index, float32 (layers, tokens, dim))`` for every sentence.

        Long sentences come first, except under ``carry``, which keeps the given order.
        """
        batches = self._in_order(sentences) if self.state == "carry" else self._by_length(sentences)
        encoded = ((indices, self._encode_batch([sentences[i] for i in indices])) for indices in batches)
        for indices, fetch in one_ahead(encoded) if self._device.type == "cuda" else encoded:
            yield from zip(indices, fetch(), strict=True)

    def _in_order(self, sentences: Sequence[Sentence]) -> Iterator[list[int]]:
        for start in range(0, len(sentences), self._carry_rows):
            yield list(range(start, min(start + self._carry_rows, len(sentences))))

    def _by_length(self, sentences: Sequence[Sentence]) -> Iterator[list[int]]:
        batch: list[int] = []
        tokens = 0
        for i in sorted(range(len(sentences)), key=lambda i: -len(sentences[i])):
            if batch and tokens + len(sentences[i]) > self._max_tokens:
                yield batch
                batch, tokens = [], 0
            batch.append(i)
            tokens += len(sentences[i])
        if batch:
            yield batch

    @torch.inference_mode()
    def _encode_batch(self, batch: Sequence[Sentence]) -> Callable[[], list[Tensor]]:
        """Encode sentences together; return what gives the vectors of each, (layers, tokens, dim), on the CPU."""
        carries = self.state == "carry"
        rows = sorted((row for row in range(len(batch)) if carries or batch[row]), key=lambda row: -len(batch[row]))
        if not rows:
            return lambda: [torch.empty(self.num_layers, 0, self.dim)] * len(batch)
        words = [(BOS, *batch[row], EOS) if carries else batch[row] for row in rows]
        packing = Packing.of([len(sentence) for sentence in words], self._device)
        types, places = self._words.of([word for sentence in words for word in sentence])  # (types, width)
        before = self._select(self._carried, rows) if carries else self._repeat(len(rows))
        layers, after = self.bilm(types, places, packing, before)  # (layers, positions, dim)
        if carries:
            self._store(after, rows)
        arrived, boundary = host_copy(layers), 1 if carries else 0

        def fetch() -> list[Tensor]:
            kept = arrived()  # (layers, positions, dim)
            vectors = [kept[:, :0]] * len(batch)
            for row, start in zip(rows, packing.starts, strict=True):
                vectors[row] = kept[:, start + boundary : start + boundary + len(batch[row])]
            return vectors

        return fetch

    def _repeat(self, rows: int) -> BiLmState:
        return map_state(self._start, lambda tensor: tensor.expand(rows, -1))

    @staticmethod
    def _select(state: BiLmState, rows: list[int]) -> BiLmState:
        return map_state(state, lambda tensor: tensor[rows])

    def _store(self, after: BiLmState, rows: list[int]) -> None:
        for old_layers, new_layers in zip(self._carried, after, strict=True):
            for old, new in zip(old_layers, new_layers, strict=True):
                old.hidden[rows] = new.hidden
                old.cell[rows] = new.cell
