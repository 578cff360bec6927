"""Tokenised text on disk: each file is read once, ever, and then served by memory map.

A shard is one text file as numbers: ``types.txt`` holds its different words, ``ids.bin`` the running words
(int32 rows of ``types.txt``), ``starts.bin`` (int64) where each sentence begins. It is found again by the
digest of the file, so that files may be added to a corpus, or named twice, at no cost.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from harness.encoders.char_ids import BOS, EOS
from harness.errors import CacheError, DataFormatError
from harness.pretrain.tokenized_text import sentences
from harness.types import Sentence
from harness.utils.console import progress
from harness.utils.files import file_digest

log = logging.getLogger(__name__)

_LAYOUT = 1  # raised when shards change, so that older ones are not read
_BLOCK = 2**16  # sentences written at a time
_COUNTED = 2**24  # words counted at a time
BOS_TYPE, EOS_TYPE = 0, 1  # the boundary words come first among the types of a corpus


@dataclass(frozen=True)
class Shard:
    """One text file as numbers.

    Attributes:
        types: its different words, in order of first occurrence.
        ids: int32 (tokens,): rows of ``types``.
        starts: int64 (sentences + 1,): where each sentence begins in ``ids``, and where the last one ends.
    """

    types: list[str]
    ids: NDArray[np.int32]
    starts: NDArray[np.int64]


class Corpus:
    """The sentences of several shards, over one list of types.

    Args:
        shards: the files, in order.
        digests: of the files, by which a corpus is told from another.
    """

    def __init__(self, shards: Sequence[Shard], digests: Sequence[str]) -> None:
        self._shards = list(shards)
        rows = {BOS: BOS_TYPE, EOS: EOS_TYPE}
        known: dict[int, NDArray[np.int32]] = {}  # of a shard that is there twice
        for shard in self._shards:
            if id(shard) not in known:
                known[id(shard)] = np.array([rows.setdefault(word, len(rows)) for word in shard.types], dtype=np.int32)
        self._rows = [known[id(shard)] for shard in self._shards]  # per shard: its types' rows in ``words``
        self.words = list(rows)
        self._firsts = np.cumsum([0, *(len(shard.starts) - 1 for shard in self._shards)])  # (shards + 1,)
        self.num_tokens = sum(len(shard.ids) for shard in self._shards)
        self.digest = hashlib.sha256(json.dumps(list(digests)).encode()).hexdigest()

    def __len__(self) -> int:
        """Return the number of sentences."""
        return int(self._firsts[-1])

    def sentence(self, index: int) -> NDArray[np.int32]:
        """Return a sentence as rows of ``words``, int32 (tokens,), without boundaries."""
        k = int(np.searchsorted(self._firsts, index, side="right")) - 1
        shard, i = self._shards[k], index - int(self._firsts[k])
        return self._rows[k][shard.ids[shard.starts[i] : shard.starts[i + 1]]]

    def words_of(self, index: int) -> Sentence:
        """Return a sentence as words."""
        return tuple(self.words[row] for row in self.sentence(index))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each word occurs, int64 (types,); the boundaries once a sentence."""
        counts = np.zeros(len(self.words), dtype=np.int64)
        counts[[BOS_TYPE, EOS_TYPE]] = len(self)
        for shard, rows in zip(self._shards, self._rows, strict=True):
            for start in range(0, len(shard.ids), _COUNTED):
                block = shard.ids[start : start + _COUNTED]  # bincount makes it 64 bits wide
                np.add.at(counts, rows, np.bincount(block, minlength=len(rows)))
        return counts


def open_corpus(paths: Sequence[Path], *, tokenize: bool, cache_dir: Path) -> Corpus:
    """Return the text of files, each of which is read and tokenised at its first use.

    Args:
        paths: text files; see ``harness.pretrain.tokenized_text``.
        tokenize: whether they hold raw text.
        cache_dir: shards are kept below it, in ``corpora/``.

    Raises:
        DataFormatError: a file is not text, or there is no sentence in any.
        CacheError: a shard cannot be written, or is damaged.
    """
    root = cache_dir / "corpora"
    shards: dict[Path, tuple[Shard, str]] = {}
    for path in dict.fromkeys(paths):
        key = _key(path, tokenize)
        shards[path] = _shard(path, tokenize, root, key), key
    corpus = Corpus([shards[path][0] for path in paths], [shards[path][1] for path in paths])
    if not len(corpus):
        raise DataFormatError(f"{', '.join(map(str, paths))}: no sentence; expected plain text")
    return corpus


def _key(path: Path, tokenize: bool) -> str:
    """Return a digest over the file and how it is read."""
    try:
        content = file_digest(path)
    except OSError as error:
        raise DataFormatError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    return hashlib.sha256(
        json.dumps([_LAYOUT, content, _tokenizer_version() if tokenize else None]).encode()
    ).hexdigest()


def _shard(path: Path, tokenize: bool, root: Path, key: str) -> Shard:
    folder = root / key[:32]
    partial = folder.with_suffix(".partial")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                shutil.rmtree(partial, ignore_errors=True)  # what a killed process left
                partial.mkdir()
                try:
                    _write(path, tokenize, partial)
                    partial.rename(folder)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise CacheError(
            f"cannot keep the text of {path} in {root}: {error.strerror or error}; "
            "make room there or choose another cache_dir"
        ) from None
    return _open(folder)


def _tokenizer_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("spacy")
    except PackageNotFoundError:
        return "none"  # text.english() says what is missing, where it is needed


def _write(path: Path, tokenize: bool, folder: Path) -> None:
    """Write a shard, holding the types and one block of sentences in memory."""
    rows: dict[str, int] = {}
    ids: list[int] = []
    starts = [0]
    count = total = 0
    with (folder / "ids.bin").open("wb") as ids_file, (folder / "starts.bin").open("wb") as starts_file:

        def flush() -> None:
            ids_file.write(np.array(ids, dtype=np.int32).tobytes())
            starts_file.write(np.array(starts, dtype=np.int64).tobytes())
            ids.clear()
            starts.clear()

        for words in progress(sentences(path, tokenize=tokenize), f"reading {path.name}"):
            ids += [rows.setdefault(word, len(rows)) for word in words]
            total += len(words)
            count += 1
            starts.append(total)
            if count % _BLOCK == 0:
                flush()
        flush()
        with (folder / "types.txt").open("wb") as types_file:
            types_file.write("".join(f"{word}\n" for word in rows).encode())
            for file in (ids_file, starts_file, types_file):
                file.flush()
                os.fsync(file.fileno())
    log.info("%s: %s sentences, %s tokens, %s types", path, f"{count:,}", f"{total:,}", f"{len(rows):,}")


def _open(folder: Path) -> Shard:
    try:
        types = (folder / "types.txt").read_bytes().decode().split("\n")[:-1]
        starts = _map(folder / "starts.bin", np.int64)
        ids = _map(folder / "ids.bin", np.int32)
        if len(ids) != starts[-1]:
            raise ValueError(f"it holds {len(ids)} of {starts[-1]} words")
    except (OSError, ValueError, IndexError) as error:
        raise CacheError(f"{folder} is damaged ({error}); delete it, it is made again") from None
    return Shard(types, ids, starts)


def _map(path: Path, dtype: type) -> NDArray:
    if path.stat().st_size == 0:
        return np.empty(0, dtype)
    return np.memmap(path, dtype=dtype, mode="r")
