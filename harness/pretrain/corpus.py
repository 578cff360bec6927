"""Tokenised text on disk: each file is tokenised once, and read by memory map from then on.

A shard holds one text file as numbers: ``types.txt`` its different words, ``ids.bin`` the running words (int32 rows of
``types.txt``), ``starts.bin`` (int64) the position where each sentence begins, and ``digests.json`` their digests,
which are compared whenever a shard is opened. Shards are found by the digest of their file. A file that several
corpora share, or that one corpus names twice, is therefore stored once.
"""

import hashlib
import json
import logging
import os
import shutil
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.encoders.char_ids import BOS, EOS
from harness.errors import CacheError, DataFormatError, one_line
from harness.pretrain.tokenized_text import sentences
from harness.types import Sentence
from harness.utils.console import progress
from harness.utils.files import file_digest, write_json
from harness.utils.locks import ProcessLock
from harness.utils.text_files import read_json

log = logging.getLogger(__name__)

_LAYOUT = 1  # increased when files are read differently; it is part of what determines a training
_FORMAT = 2  # increased when the files of a shard change; shards in older formats are ignored
_FILES = ("types.txt", "ids.bin", "starts.bin")
_COUNTED = 2**24  # words counted at a time
BOS_TYPE, EOS_TYPE = 0, 1  # the boundary words come first among the words of a corpus


@dataclass(frozen=True)
class Shard:
    """One text file as numbers.

    Attributes:
        types: The different words, in order of first occurrence.
        ids: int32 (tokens,): rows of ``types``.
        starts: int64 (sentences + 1,): where each sentence begins in ``ids``, and where the last one ends.
    """

    types: list[str]
    ids: NDArray[np.int32]
    starts: NDArray[np.int64]


class Corpus:
    """The sentences of several shards, with one common list of words.

    Args:
        shards: The different text files, by their hexadecimal digests.
        order: The digests of the files, in the order of the text. A digest may occur several times.
    """

    def __init__(self, *, shards: Mapping[str, Shard], order: Sequence[str]) -> None:
        known = {BOS: BOS_TYPE, EOS: EOS_TYPE}
        rows = {
            digest: np.array([known.setdefault(word, len(known)) for word in shard.types], dtype=np.int32)
            for digest, shard in shards.items()
        }
        self.words = list(known)
        self._shards = [shards[digest] for digest in order]
        self._rows = [rows[digest] for digest in order]  # per shard: the row in ``words`` of each of its types
        self._firsts = np.cumsum([0, *(len(shard.starts) - 1 for shard in self._shards)])  # (shards + 1,)
        self.num_tokens = sum(len(shard.ids) for shard in self._shards)
        self.digest = hashlib.sha256(json.dumps(list(order)).encode()).hexdigest()

    def __len__(self) -> int:
        """Return the number of sentences."""
        return int(self._firsts[-1])

    def sentence(self, index: int) -> NDArray[np.int32]:
        """Return a sentence as rows of ``words``, int32 (tokens,), without boundaries."""
        k = int(np.searchsorted(self._firsts, index, side="right")) - 1
        shard, i = self._shards[k], index - int(self._firsts[k])
        return self._rows[k][shard.ids[shard.starts[i] : shard.starts[i + 1]]]

    def words_of(self, index: int) -> Sentence:
        """Return a sentence as words, without boundaries."""
        return tuple(self.words[row] for row in self.sentence(index))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each word occurs, int64 (types,). The boundaries count once per sentence."""
        counts = np.zeros(len(self.words), dtype=np.int64)
        counts[[BOS_TYPE, EOS_TYPE]] = len(self)
        for shard, rows in zip(self._shards, self._rows, strict=True):
            for start in range(0, len(shard.ids), _COUNTED):
                block = shard.ids[start : start + _COUNTED]  # bincount copies it as int64
                np.add.at(counts, rows, np.bincount(block, minlength=len(rows)))
        return counts


def open_corpus(paths: Sequence[Path], *, tokenize: bool, cache_dir: Path) -> Corpus:
    """Return the text of files. Each file is read and tokenised when it is first used.

    Args:
        paths: Text files; see ``harness.pretrain.tokenized_text``.
        tokenize: Whether they hold raw text.
        cache_dir: Shards are kept in its subfolder ``corpora``.

    Raises:
        DataFormatError: A file is not text, or no file has a sentence.
        ConfigError: ``tokenize`` is True and spaCy is not installed.
        CacheError: A shard is damaged or cannot be written.
    """
    root = cache_dir / "corpora"
    keys = {path: _key(path, tokenize) for path in dict.fromkeys(paths)}
    shards = {key: _shard(path, tokenize, root, key) for path, key in keys.items()}
    corpus = Corpus(shards=shards, order=[keys[path] for path in paths])
    if not len(corpus):
        raise DataFormatError(f"{', '.join(map(str, paths))}: no sentence; expected plain text")
    return corpus


def _key(path: Path, tokenize: bool) -> str:
    """Return a digest of the file's content and of how it is read."""
    try:
        content = file_digest(path)
    except OSError as error:
        raise DataFormatError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    # If spaCy is missing, tokenising will raise an error that says what to install.
    tokenizer = next((spacy.version for spacy in distributions(name="spacy")), "none") if tokenize else None
    return hashlib.sha256(json.dumps([_LAYOUT, content, tokenizer]).encode()).hexdigest()


def _shard(path: Path, tokenize: bool, root: Path, key: str) -> Shard:
    """Return the shard of a file. It is written first if it does not exist yet."""
    folder = root / f"{key[:32]}-{_FORMAT}"
    if not folder.is_dir():  # no lock for what is finished, so that the cache may be read only
        _write_once(path, tokenize, folder)
    return _open(folder)


def _write_once(path: Path, tokenize: bool, folder: Path) -> None:
    """Write the shard of a file, unless another process has done so in the meantime."""
    partial = folder.with_suffix(".partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with ProcessLock(folder.with_name(f"{folder.name}.lock")).held():
            if not folder.exists():
                shutil.rmtree(partial, ignore_errors=True)  # left by a killed process
                partial.mkdir()
                try:
                    _write(path, tokenize, partial)
                    partial.rename(folder)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise CacheError(
            f"cannot keep the text of {path} in {folder.parent}: {error.strerror or error}; "
            "free space there or choose another cache_dir"
        ) from None


def _write(path: Path, tokenize: bool, folder: Path) -> None:
    """Write a shard. Only its types are held in memory."""
    rows: dict[str, int] = {}
    count = total = 0
    with (folder / "ids.bin").open("wb") as ids_file, (folder / "starts.bin").open("wb") as starts_file:
        starts_file.write(np.int64(0).tobytes())
        for words in progress(sentences(path, tokenize=tokenize), f"reading {path.name}"):
            count, total = count + 1, total + len(words)
            ids_file.write(array("i", [rows.setdefault(word, len(rows)) for word in words]).tobytes())
            starts_file.write(np.int64(total).tobytes())
        with (folder / "types.txt").open("wb") as types_file:
            types_file.write("".join(f"{word}\n" for word in rows).encode())
            for file in (ids_file, starts_file, types_file):
                file.flush()
                os.fsync(file.fileno())
    write_json(folder / "digests.json", {name: file_digest(folder / name) for name in _FILES})
    log.info("%s: %s sentences, %s tokens, %s types", path, f"{count:,}", f"{total:,}", f"{len(rows):,}")


def _open(folder: Path) -> Shard:
    """Return a shard, compared with its digests."""
    try:
        known = read_json(folder / "digests.json", fix=f"delete {folder} to write it again", error=CacheError)
        for name in _FILES:
            if not isinstance(known, dict) or known.get(name) != file_digest(folder / name):
                raise CacheError(f"{folder} is damaged ({name}); delete it to write it again")
        types = (folder / "types.txt").read_bytes().decode().split("\n")[:-1]
        return Shard(types, _map(folder / "ids.bin", np.int32), _map(folder / "starts.bin", np.int64))
    except PermissionError as error:
        raise CacheError(f"{error.filename}: not readable by you; set cache_dir=DIR") from None
    except OSError as error:
        raise CacheError(f"{folder} is damaged ({one_line(error)}); delete it to write it again") from None


def _map(path: Path, dtype: type) -> NDArray[Any]:
    """Return a file as an array, by memory map unless it is empty, which ``np.memmap`` refuses."""
    return np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.empty(0, dtype)
