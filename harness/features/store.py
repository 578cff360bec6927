"""The feature store: every unique sentence is encoded once, ever.

A folder per encoder fingerprint and precision. ``words`` holds the context-free layer 0 once per word type
(where the encoder has one), ``sentences`` the remaining layers of each sentence, (layers, tokens, dim).
"""

import hashlib
import logging
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from harness.config.schema import Precision
from harness.errors import CacheError, ConfigError
from harness.features.blob_file import RECORD_BYTES, BlobFile
from harness.protocols import Encoder, Rounding
from harness.types import Sentence
from harness.utils.console import human_bytes, progress
from harness.utils.files import write_json

log = logging.getLogger(__name__)

_FORMAT = 1
_FLUSH = 2**24  # bytes gathered before they are written


@dataclass(frozen=True)
class FillReport:
    """What ``fill`` found: unique sentences, and how many of them were there already."""

    sentences: int = 0
    found: int = 0

    @property
    def hit_rate(self) -> float:
        """Fraction of the unique sentences that did not have to be encoded."""
        return self.found / self.sentences if self.sentences else 0.0


@dataclass(frozen=True)
class FillPlan:
    """What ``fill`` would do: unique sentences, those to encode, and the bytes to write."""

    sentences: int
    missing: tuple[Sentence, ...]
    bytes: int


class LayerSource(Protocol):
    """Where the layers of a sentence come from."""

    encoder: Encoder
    tokens_encoded: int  # so far

    def plan(self, sentences: Iterable[Sentence]) -> FillPlan:
        """Say what ``fill`` would do."""

    def fill(self, sentences: Iterable[Sentence], *, check: Callable[[], None]) -> FillReport:
        """Make sure that the sentences can be read; ``check`` is called now and then, and may raise."""

    def read(self, sentences: Sequence[Sentence], layers: Sequence[int] | None = None) -> Tensor:
        """Return float32 (batch, layers, tokens, dim), zero at padded places.

        Args:
            sentences: of the batch.
            layers: which of the encoder's layers, from the lowest, each from 0; None for all.
        """


class FeatureStore:
    """Layers on disk, shared by every run and every process.

    Args:
        folder: below it, a folder is made for this encoder and precision.
        encoder: computes what is missing.
        dtype: precision of what is kept.

    Raises:
        ConfigError: the encoder's vectors depend on what it encoded before.
    """

    def __init__(self, folder: Path, encoder: Encoder, *, dtype: Precision = "float16") -> None:
        if not encoder.cacheable:
            raise ConfigError(f"encoder.state={encoder.state} makes no vectors that can be kept; add cache=none")
        self.encoder, self.tokens_encoded = encoder, 0
        self.folder = folder / f"{encoder.name}-{encoder.fingerprint[:16]}-{dtype}"
        self._dtype = np.dtype(dtype)
        self._word_layers = 1 if encoder.word_layer else 0
        self._words = BlobFile(self.folder / f"words-{_FORMAT}")
        self._sentences = BlobFile(self.folder / f"sentences-{_FORMAT}")
        self._lock = FileLock(self.folder / "lock")  # this object may take it again while it holds it

    def plan(self, sentences: Iterable[Sentence]) -> FillPlan:
        """Say which sentences would be encoded and how many bytes that would write."""
        unique = list(dict.fromkeys(sentences))
        new_words = self._new_words(unique)
        missing = tuple(s for s in unique if _sentence_key(s) not in self._sentences or not new_words.isdisjoint(s))
        row = self.encoder.dim * self._dtype.itemsize
        tokens = sum(map(len, missing))
        size = tokens * (self.encoder.num_layers - self._word_layers) * row + len(missing) * RECORD_BYTES
        size += len(new_words) * (row + RECORD_BYTES)
        return FillPlan(len(unique), missing, size)

    def fill(self, sentences: Iterable[Sentence], *, check: Callable[[], None] = lambda: None) -> FillReport:
        """Encode and keep what is not there yet; one process at a time writes.

        Raises:
            CacheError: the folder cannot be made, too little space is left, or what is kept is damaged.
        """
        sentences = list(dict.fromkeys(sentences))
        plan = self.plan(sentences)
        if not plan.missing:
            log.info("features: all %s sentences are in %s", f"{plan.sentences:,}", self.folder)
            return FillReport(plan.sentences, plan.sentences)
        self._make_folder()
        with self._lock:  # the holder may have written what we miss
            return self._add(sentences, check)

    def fill_shard(
        self, sentences: Iterable[Sentence], *, shard: int, shards: int, check: Callable[[], None] = lambda: None
    ) -> FillReport:
        """Encode and keep one part of what is not there yet, beside processes that are at the other parts.

        Which part a sentence is of depends on the sentence alone, and so does every part's work.

        Args:
            sentences: all of them, the same for every part.
            shard: which part, from 0.
            shards: how many there are.
            check: called now and then, and may raise.

        Raises:
            CacheError: as ``fill``.
        """
        own = [s for s in dict.fromkeys(sentences) if int.from_bytes(_sentence_key(s), "little") % shards == shard]
        self._make_folder()
        return self._add(own, check)

    def _add(self, sentences: Sequence[Sentence], check: Callable[[], None]) -> FillReport:
        """Encode and keep what is missing."""
        with self._lock:
            self._recover()
        plan = self.plan(sentences)
        if plan.missing:
            self._check_space(plan)
            self._encode(plan.missing, check)
        return FillReport(plan.sentences, plan.sentences - len(plan.missing))

    def read(self, sentences: Sequence[Sentence], layers: Sequence[int] | None = None) -> Tensor:
        """Return float32 (batch, layers, tokens, dim), zero at padded places; see ``LayerSource``."""
        longest = max(map(len, sentences), default=0)
        dim, wanted = self.encoder.dim, range(self.encoder.num_layers) if layers is None else layers
        kept = np.zeros((len(sentences), len(wanted), longest, dim), self._dtype)
        if above := [layer - self._word_layers for layer in wanted if layer >= self._word_layers]:
            for row, sentence in zip(kept, sentences, strict=True):
                if sentence:
                    blob = np.frombuffer(self._sentences.read(_sentence_key(sentence)), self._dtype)
                    stored = blob.reshape(-1, len(sentence), dim)  # (layers above the words, tokens, dim)
                    for place, layer in zip(row[-len(above) :], above, strict=True):
                        place[: len(sentence)] = stored[layer]
            self._sentences.release()
        if len(above) < len(wanted):
            self._read_words(sentences, kept[:, 0])
        return torch.from_numpy(kept).float()  # (batch, layers, tokens, dim)

    def _read_words(self, sentences: Sequence[Sentence], layer: np.ndarray) -> None:
        """Write the vector of every word into (batch, tokens, dim), each read once."""
        places: dict[str, int] = {}  # of a word in the table
        ids = [places.setdefault(word, len(places)) for sentence in sentences for word in sentence]
        blobs = [self._words.read(_word_key(word)) for word in places]
        table = np.frombuffer(b"".join(blobs), self._dtype).reshape(-1, layer.shape[2])  # (words, dim)
        inside = np.arange(layer.shape[1]) < np.array([len(sentence) for sentence in sentences])[:, None]
        layer[inside] = table[ids]

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(f"{self.folder}: cannot be made ({error.strerror}); set cache_dir=DIR") from None
        about = {
            "format": _FORMAT,
            "encoder": self.encoder.name,
            "fingerprint": self.encoder.fingerprint,
            "state": self.encoder.state,
            "num_layers": self.encoder.num_layers,
            "dim": self.encoder.dim,
            "dtype": self._dtype.name,
            "products": precision_of(self.encoder),
        }
        if not (self.folder / "meta.json").exists():
            write_json(self.folder / "meta.json", about)  # for people; nothing reads it

    def _new_words(self, sentences: Iterable[Sentence]) -> set[str]:
        if not self._word_layers:
            return set()
        return {word for word in set().union(*sentences) if _word_key(word) not in self._words}

    def _check_space(self, plan: FillPlan) -> None:
        free = shutil.disk_usage(self.folder).free
        log.info(
            "features: encoding %s of %s sentences (%s tokens), %s to write to %s (%s free)",
            f"{len(plan.missing):,}",
            f"{plan.sentences:,}",
            f"{sum(map(len, plan.missing)):,}",
            human_bytes(plan.bytes),
            self.folder,
            human_bytes(free),
        )
        if plan.bytes > free:
            raise CacheError(
                f"{self.folder}: the features take {human_bytes(plan.bytes)}, {human_bytes(free)} are free; "
                "set cache_dir=DIR, encode less with data.fraction=F, or do without: cache=none"
            )

    def _encode(self, missing: Sequence[Sentence], check: Callable[[], None]) -> None:
        words: dict[bytes, bytes] = {}
        sentences: dict[bytes, bytes] = {}
        waiting = 0
        for index, layers in progress(self.encoder.encode(missing), "encoding", total=len(missing)):
            sentence = missing[index]
            self.tokens_encoded += len(sentence)
            kept = _rounded(layers, self._dtype).numpy()  # (layers, tokens, dim)
            if (key := _sentence_key(sentence)) not in self._sentences:
                sentences[key] = kept[self._word_layers :].tobytes()
            waiting += kept.nbytes
            if self._word_layers:
                for word, vector in zip(sentence, kept[0], strict=True):
                    if (key := _word_key(word)) not in self._words:
                        words.setdefault(key, vector.tobytes())
            if waiting >= _FLUSH:
                self._flush(words, sentences)
                waiting = 0
                check()
        self._flush(words, sentences)

    def _flush(self, words: dict[bytes, bytes], sentences: dict[bytes, bytes]) -> None:
        with self._lock:
            self._recover()  # another process may have written since, and the same words
            # Words before the sentences that are read through them.
            for kept, items in ((self._words, words), (self._sentences, sentences)):
                kept.append((key, blob) for key, blob in items.items() if key not in kept)
                items.clear()

    def _recover(self) -> None:
        self._words.recover()
        self._sentences.recover()


class Uncached:
    """Layers computed whenever they are asked for: no disk, and the price of an encoding every epoch."""

    def __init__(self, encoder: Encoder, *, dtype: Precision = "float16") -> None:
        self.encoder, self.tokens_encoded = encoder, 0
        self._dtype = np.dtype(dtype)

    def plan(self, sentences: Iterable[Sentence]) -> FillPlan:
        """Nothing is written; every sentence is encoded whenever it is read."""
        unique = tuple(dict.fromkeys(sentences))
        return FillPlan(len(unique), unique, 0)

    def fill(self, sentences: Iterable[Sentence], *, check: Callable[[], None] = lambda: None) -> FillReport:
        """Do nothing."""
        check()
        log.info("features: cache=none, sentences are encoded anew in every epoch")
        return FillReport(len(set(sentences)), 0)

    def read(self, sentences: Sequence[Sentence], layers: Sequence[int] | None = None) -> Tensor:
        """Return float32 (batch, layers, tokens, dim), rounded as a store would; see ``LayerSource``."""
        longest = max(map(len, sentences), default=0)
        wanted = list(range(self.encoder.num_layers) if layers is None else layers)
        read = torch.zeros(len(sentences), len(wanted), longest, self.encoder.dim)
        for row, encoded in self.encoder.encode(sentences):  # (layers, tokens, dim)
            self.tokens_encoded += encoded.shape[1]
            read[row, :, : encoded.shape[1]] = _rounded(encoded[wanted], self._dtype)
        return read  # (batch, layers, tokens, dim)


def precision_of(encoder: Encoder) -> dict[str, Any]:
    """Return in which precision an encoder multiplies, and its measured relative error, as far as it says."""
    if not isinstance(encoder, Rounding):
        return {}
    return {"dtype": encoder.dtype, "rounding_error": encoder.rounding_error}


def _rounded(layers: Tensor, dtype: np.dtype) -> Tensor:
    kept = layers.to(getattr(torch, dtype.name))  # torch rounds 30 times as fast as numpy
    if kept.numel() and not all(map(math.isfinite, torch.stack(torch.aminmax(kept)).tolist())):
        raise CacheError(f"a vector does not fit {dtype}, or is not finite; set cache_dtype=float32")
    return kept


def _sentence_key(sentence: Sentence) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for word in sentence:
        encoded = word.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(4, "little") + encoded)
    return digest.digest()


@lru_cache(maxsize=1 << 17)
def _word_key(word: str) -> bytes:
    return _sentence_key((word,))
