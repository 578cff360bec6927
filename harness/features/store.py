"""The feature store: the layers of each sentence, read from disk, or from the encoder itself if nothing is stored."""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.config.schema import Precision
from harness.errors import CacheError, ConfigError
from harness.features.blob_file import RECORD_BYTES, BlobFile
from harness.features.rounding import rounded
from harness.optional_protocols import Rounding
from harness.protocols import Encoder
from harness.types import Sentence, check_sentences, places_of
from harness.utils.console import human_bytes, progress
from harness.utils.files import as_file_name, write_json
from harness.utils.locks import ProcessLock

Check = Callable[[], None]  # raises in order to stop

log = logging.getLogger(__name__)

_FORMAT = 1
_FLUSH, _SECONDS = 2**24, 5.0  # bytes that are gathered before they are written, and how long


@dataclass(frozen=True)
class FillPlan:
    """What ``fill`` has to do before all sentences can be read.

    Attributes:
        sentences: The number of unique sentences.
        missing: The sentences that must be encoded.
        bytes: The number of bytes to write for them.
        bytes_per_token: What the store holds for each token of all sentences; 0 if it holds nothing.
    """

    sentences: int = 0
    missing: tuple[Sentence, ...] = ()
    bytes: int = 0
    bytes_per_token: float = 0.0

    @property
    def found(self) -> int:
        """The number of unique sentences that do not have to be encoded."""
        return self.sentences - len(self.missing)

    @property
    def hit_rate(self) -> float:
        """The fraction of the unique sentences that do not have to be encoded."""
        return self.found / self.sentences if self.sentences else 0.0


class FeatureStore:
    """The layers of each unique sentence, encoded once and kept on disk for all runs and processes.

    There is one folder per encoder fingerprint and precision. ``words`` holds the context-free layer 0 once per word
    type (if the encoder has one), and ``sentences`` holds the other layers of each sentence, (layers, tokens, dim).

    Args:
        folder: The folder in which the folder of this encoder and precision is created.
        encoder: The encoder that computes missing layers.
        dtype: The precision in which layers are kept.

    Raises:
        ConfigError: The encoder's vectors depend on what it encoded before.
    """

    def __init__(self, folder: Path, encoder: Encoder, *, dtype: Precision = "float16") -> None:
        if not encoder.cacheable:
            state = f" (encoder.state={encoder.state})" if encoder.state != "none" else ""
            raise ConfigError(f"{encoder.name}: its vectors depend on earlier texts{state}; add cache=none")
        self.encoder, self.tokens_encoded = encoder, 0
        self.folder = folder / f"{as_file_name(encoder.name)}-{encoder.fingerprint[:16]}-{dtype}"
        self._dtype = np.dtype(dtype)
        self._word_layers = 1 if encoder.word_layer else 0
        self._words = BlobFile(self.folder / f"words-{_FORMAT}")
        self._sentences = BlobFile(self.folder / f"sentences-{_FORMAT}")
        self._lock = ProcessLock(self.folder / "lock")  # this object may acquire it again while holding it

    def plan(self, sentences: Iterable[Sentence]) -> FillPlan:
        """Return which sentences would be encoded and how many bytes would be written."""
        unique = list(dict.fromkeys(sentences))
        check_sentences(unique)
        words = set().union(*unique) if self._word_layers else ()
        new_words = {word for word in words if _word_key(word) not in self._words}
        missing = tuple(s for s in unique if _sentence_key(s) not in self._sentences or not new_words.isdisjoint(s))
        whole = self._bytes(unique, len(words)) / max(1, sum(map(len, unique)))
        return FillPlan(len(unique), missing, self._bytes(missing, len(new_words)), whole)

    def _bytes(self, sentences: Sequence[Sentence], words: int) -> int:
        """Return the number of bytes of sentences, and of a number of word types."""
        row, tokens = self.encoder.dim * self._dtype.itemsize, sum(map(len, sentences))
        size = tokens * (self.encoder.num_layers - self._word_layers) * row + len(sentences) * RECORD_BYTES
        return size + words * (row + RECORD_BYTES)

    def fill(
        self, sentences: Iterable[Sentence], *, check: Check = lambda: None, shard: int = 0, shards: int = 1
    ) -> FillPlan:
        """Encode and keep the missing sentences; return what had to be done.

        If several processes fill the store, one encodes and the others wait. With shards, each process encodes its
        own shard at the same time. The shard of a sentence depends on the sentence alone, so all processes agree.

        Args:
            sentences: All sentences that will be read, with or without repetitions.
            check: Called after each write; it may raise in order to stop.
            shard: Which shard to encode, from 0 to ``shards - 1``.
            shards: The number of shards; 1 for all sentences.

        Raises:
            CacheError: The folder cannot be created, there is too little space, or kept data is damaged.
        """
        unique = dict.fromkeys(sentences)
        own = [s for s in unique if shards == 1 or int.from_bytes(_sentence_key(s), "little") % shards == shard]
        plan = self.plan(own)
        if not plan.missing:
            log.info("features: all %s sentences are in %s", f"{plan.sentences:,}", self.folder)
            return plan
        self._make_folder()
        with self._lock.held(check=check) if shards == 1 else nullcontext():
            with self._lock.held(check=check):
                for kept in (self._words, self._sentences):
                    kept.recover()  # another process may have written the missing sentences in the meantime
            plan = self.plan(own)
            if plan.missing:
                self._check_space(plan)
                self._encode(plan.missing, check)
        return plan

    def read(self, texts: Sequence[Sentence], layers: Sequence[int] | None = None) -> Tensor:
        """Return the layers of a batch: float32 (batch, layers, tokens, dim), zero at padded positions.

        Args:
            texts: The sentences or documents of the batch; ``fill`` has added their sentences.
            layers: Which of the encoder's layers to read, counted from 0, in increasing order; None for all.

        Raises:
            KeyError: A sentence is not in the store.
            CacheError: Kept data is damaged.
        """
        places = list(places_of(texts))
        longest = max((place.stop for _, place, _ in places), default=0)
        dim, wanted = self.encoder.dim, range(self.encoder.num_layers) if layers is None else layers
        kept = np.zeros((len(texts), len(wanted), longest, dim), self._dtype)
        if above := [layer - self._word_layers for layer in wanted if layer >= self._word_layers]:
            for row, place, sentence in places:
                if sentence:
                    blob = np.frombuffer(self._sentences.read(_sentence_key(sentence)), self._dtype)
                    stored = blob.reshape(-1, len(sentence), dim)  # (layers above the words, tokens, dim)
                    for target, layer in zip(kept[row, -len(above) :], above, strict=True):
                        target[place] = stored[layer]
            self._sentences.release()
        if len(above) < len(wanted):
            self._read_words(texts, kept[:, 0])
        return torch.from_numpy(kept).float()  # (batch, layers, tokens, dim)

    def _read_words(self, texts: Sequence[Sentence], layer: np.ndarray) -> None:
        """Write the vector of each word into ``layer``, (batch, tokens, dim); read each word type once."""
        rows: dict[str, int] = {}  # the row of each word type in the table
        ids = [rows.setdefault(word, len(rows)) for text in texts for word in text]
        blobs = [self._words.read(_word_key(word)) for word in rows]
        table = np.frombuffer(b"".join(blobs), self._dtype).reshape(-1, layer.shape[2])  # (words, dim)
        inside = np.arange(layer.shape[1]) < np.array([len(text) for text in texts])[:, None]
        layer[inside] = table[ids]

    def _make_folder(self) -> None:
        """Create the folder, and describe the encoder in ``meta.json`` for people; no code reads it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "lock").open("ab").close()  # a user who cannot write it cannot add sentences
        except OSError as error:
            reason = f"{error.filename} cannot be written ({error.strerror})"
            raise CacheError(f"{reason}; set cache_dir=DIR, or cache=none") from None
        about = {key: getattr(self.encoder, key) for key in ("name", "fingerprint", "state", "num_layers", "dim")}
        about |= {"format": _FORMAT, "dtype": self._dtype.name, "products": precision_of(self.encoder)}
        if not (self.folder / "meta.json").exists():
            write_json(self.folder / "meta.json", about)

    def _check_space(self, plan: FillPlan) -> None:
        """Log what will be encoded and written, and raise if the disk has too little space for it."""
        free = shutil.disk_usage(self.folder).free
        counts = [f"{count:,}" for count in (len(plan.missing), plan.sentences, sum(map(len, plan.missing)))]
        sizes = human_bytes(plan.bytes), self.folder, human_bytes(free)
        log.info("features: encoding %s of %s sentences (%s tokens), writing %s to %s (%s free)", *counts, *sizes)
        if plan.bytes > free:
            raise CacheError(
                f"{self.folder}: the features take {human_bytes(plan.bytes)}, {human_bytes(free)} are free; "
                "set cache_dir=DIR, encode fewer sentences with data.fraction=F, or keep no features with cache=none"
            )

    def _encode(self, missing: Sequence[Sentence], check: Check) -> None:
        """Encode sentences; write them in portions of about ``_FLUSH`` bytes, or of what a slow encoder has made."""
        words: dict[bytes, bytes] = {}
        sentences: dict[bytes, bytes] = {}
        waiting, flushed = 0, time.monotonic()
        for index, layers in progress(self.encoder.encode(missing), "encoding", total=len(missing)):
            sentence = missing[index]
            self.tokens_encoded += len(sentence)
            kept = rounded(layers, self._dtype).numpy()  # (layers, tokens, dim)
            if (key := _sentence_key(sentence)) not in self._sentences:
                sentences[key] = kept[self._word_layers :].tobytes()
            waiting += kept.nbytes
            if self._word_layers:
                for word, vector in zip(sentence, kept[0], strict=True):
                    if (key := _word_key(word)) not in self._words:
                        words.setdefault(key, vector.tobytes())
            if waiting >= _FLUSH or time.monotonic() - flushed > _SECONDS:
                self._flush(words, sentences)
                waiting, flushed = 0, time.monotonic()
                check()
        self._flush(words, sentences)

    def _flush(self, words: dict[bytes, bytes], sentences: dict[bytes, bytes]) -> None:
        """Write what is still missing, and empty both dictionaries."""
        with self._lock.held():
            # Words first: a sentence can only be read together with its words.
            for kept, items in ((self._words, words), (self._sentences, sentences)):
                kept.recover()  # another process may have written in the meantime, perhaps the same words
                kept.append((key, blob) for key, blob in items.items() if key not in kept)
                items.clear()


def precision_of(encoder: Encoder) -> dict[str, Any]:
    """Return the precision in which an encoder multiplies and its measured relative error; empty if not known."""
    if not isinstance(encoder, Rounding):
        return {}
    return {"dtype": encoder.dtype, "rounding_error": encoder.rounding_error}


def _sentence_key(sentence: Sentence) -> bytes:
    """Return the 16 bytes under which a sentence is kept; they depend also on where each word ends."""
    digest = hashlib.blake2b(digest_size=16)
    for word in sentence:
        encoded = word.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(4, "little") + encoded)
    return digest.digest()


@lru_cache(maxsize=1 << 17)
def _word_key(word: str) -> bytes:
    """Return the 16 bytes under which a word type is kept."""
    return _sentence_key((word,))
