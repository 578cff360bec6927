"""Static word vectors: read GloVe's text format once, convert it, look words up by memory map."""

import gzip
import hashlib
import json
import logging
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal, get_args

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from harness.errors import CacheError, ConfigError, DataFormatError, nearest
from harness.utils.console import progress_of_bytes
from harness.utils.download import fetch, sha256_of

log = logging.getLogger(__name__)

Case = Literal["exact", "lower", "exact_then_lower"]
Oov = Literal["zeros", "mean", "normal"]
Floats = NDArray[np.float32]

LAYOUT = 1  # raised when the converted files change, so that older ones are not read
BLOCK = 4096  # lines converted at a time
COUNT_HEADER = re.compile(rb"\d+ \d+")


@dataclass(frozen=True)
class Coverage:
    """How much of a text has a vector, as fractions in [0, 1].

    Attributes:
        types: of its different words.
        tokens: of its running words.
    """

    types: float
    tokens: float


class StaticVectors:
    """Pretrained vectors of words out of context, from a file in GloVe's text format.

    The file (``.txt``, ``.gz`` or ``.zip``) is converted at its first use; from then on only the
    vectors that are asked for are read. Equal words: the first in the file counts.

    Args:
        name: what the vectors are called in tables.
        path: a local file.
        url: where to download it from if no path is given.
        member: which file of a ``.zip``; may be None where it holds only one. Other files have none.
        cache_dir: where downloads and converted vectors are kept.
        case: how a word is looked up: as it is written, lower-cased, or first the one, then the other.
        oov: what a word without a vector gets: zeros, the mean of all vectors, or a draw from a normal
            with the mean and standard deviation of all their entries, the same one every time.
        trainable: True where the task's training may change the vectors.

    Raises:
        ConfigError: an option is wrong, or a zip file has no such member.
        DataFormatError: the file is missing, or a line is not a word and its numbers.
        DownloadError: the file cannot be downloaded.
        CacheError: the converted vectors cannot be written, or are damaged.

    Source: Pennington et al. 2014, "GloVe: Global Vectors for Word Representation"; the normal draw is
    that of AllenNLP 0.9 (``Embedding.from_params``).
    """

    def __init__(
        self,
        *,
        name: str,
        path: Path | str | None = None,
        url: str | None = None,
        member: str | None = None,
        cache_dir: Path | str,
        case: Case = "exact_then_lower",
        oov: Oov = "zeros",
        trainable: bool = False,
    ) -> None:
        if path is None and url is None:
            raise ConfigError(f"embedding '{name}': no vectors given; add embedding.path=FILE")
        for option, value, choices in (("case", case, get_args(Case)), ("oov", oov, get_args(Oov))):
            if value not in choices:
                raise ConfigError(f"embedding.{option}: no choice '{value}'{nearest(value, choices)}")
        self.name = name
        self.trainable = trainable
        self._case = case
        self._oov = oov
        cache = Path(cache_dir).expanduser()
        if path is None:
            assert url is not None
            source = fetch(url, folder=cache / "downloads")
            record = source.with_name(f"{source.name}.sha256")
        else:
            source = Path(str(path)).expanduser().resolve()
            record = cache / "vectors" / f"{_digest(str(source))[:16]}.sha256"
        self._folder = _converted(source, member=member, root=cache / "vectors", record=record)
        self._vectors, self._meta = _load(self._folder)  # (words, dim)

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self._vectors.shape[1])

    @property
    def fingerprint(self) -> str:
        """A hex digest over everything that determines the vectors: the words, their values, the policies."""
        return _digest(json.dumps([self._meta["content"], self._case, self._oov, self.trainable]))

    def lookup(self, words: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the vector of each word, and whether it has one of its own.

        Args:
            words: any words, in any order, with or without repetitions.

        Returns:
            float32 (words, dim), and bool (words,), True where the word was found.
        """
        rows = np.array([self._row(word) for word in words], dtype=np.int64)  # (words,)
        found = rows >= 0  # (words,)
        vectors = np.zeros((len(rows), self.dim), dtype=np.float32)  # (words, dim)
        vectors[found] = self._vectors[rows[found]]
        for position, word in enumerate(words):
            if not found[position]:
                vectors[position] = self._unknown(word)
        return torch.from_numpy(vectors), torch.from_numpy(found)

    def neighbours(self, word: str, count: int) -> list[tuple[str, float]]:
        """Return the words whose vectors are nearest to a word's, with their cosines, nearest first.

        Empty where the word has no vector.
        """
        row = self._row(word)
        if row < 0:
            return []
        norms = np.linalg.norm(self._vectors, axis=1)  # (words,)
        cosines = self._vectors @ self._vectors[row] / np.maximum(norms * norms[row], 1e-12)  # (words,)
        words = list(self._rows)
        nearest_rows = [other for other in np.argsort(-cosines)[: count + 1].tolist() if other != row]
        return [(words[other], float(cosines[other])) for other in nearest_rows[:count]]

    def coverage(self, counts: Mapping[str, int]) -> Coverage:
        """Return which part of a text has vectors; zero for an empty text.

        Args:
            counts: word -> how often it occurs.
        """
        found = [count for word, count in counts.items() if self._row(word) >= 0]
        return Coverage(types=len(found) / max(len(counts), 1), tokens=sum(found) / max(sum(counts.values()), 1))

    @cached_property
    def _rows(self) -> dict[str, int]:
        """Word -> row; read at the first lookup."""
        words = (self._folder / "words.txt").read_bytes().decode().split("\n")[:-1]
        if len(words) != len(self._vectors):
            raise CacheError(f"{self._folder} is damaged (words.txt); delete it, it is made again")
        return {word: row for row, word in enumerate(words)}

    def _forms(self, word: str) -> list[str]:
        """Return the spellings under which a word is looked up, in order."""
        forms = {"exact": [word], "lower": [word.lower()], "exact_then_lower": [word, word.lower()]}
        return forms[self._case]

    def _row(self, word: str) -> int:
        """Return a word's row, or -1."""
        return next((self._rows[form] for form in self._forms(word) if form in self._rows), -1)

    def _unknown(self, word: str) -> Floats | float:
        """Return what a word without a vector gets: (dim,), or one number for all entries."""
        if self._oov == "zeros":
            return 0.0
        if self._oov == "mean":
            return np.array(self._meta["mean"], dtype=np.float32)  # (dim,)
        seed = int(_digest(self._forms(word)[-1])[:16], 16)  # by the word: order cannot matter
        mean, std = np.mean(self._meta["mean"]), self._meta["std"]
        return np.random.default_rng(seed).normal(mean, std, self.dim).astype(np.float32)  # (dim,)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _converted(source: Path, *, member: str | None, root: Path, record: Path) -> Path:
    """Return the folder of the converted vectors, converting them where that was not done before.

    Args:
        source: the file as it was published.
        member: which file of a zip.
        root: the folder of all converted vectors.
        record: remembers the digest of ``source``.
    """
    if not source.is_file():
        raise DataFormatError(f"no file {source}; set embedding.path to word vectors as .txt, .gz or .zip")
    member = member if source.suffix.lower() == ".zip" else None
    stem = Path(member or source.name).stem
    try:
        root.mkdir(parents=True, exist_ok=True)
        key = _digest(json.dumps([LAYOUT, sha256_of(source, record=record), member]))[:16]
        folder = root / f"{stem}-{key}"
        partial = root / f"{stem}-{key}.partial"
        with FileLock(root / f"{stem}-{key}.lock"):
            if folder.exists():
                return folder
            shutil.rmtree(partial, ignore_errors=True)  # what a killed process left
            partial.mkdir()
            try:
                _convert(source, member=member, folder=partial)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataFormatError(f"{source} is damaged ({error}); delete it and fetch it again") from error
    except OSError as error:
        raise CacheError(
            f"cannot convert {source} in {root}: {error.strerror or error}; make room there or choose another cache_dir"
        ) from error
    return folder


def _convert(source: Path, *, member: str | None, folder: Path) -> None:
    """Write ``vectors.npy``, ``words.txt`` and ``meta.json``, holding one block in memory at a time."""
    words_hash, rows_hash = hashlib.sha256(), hashlib.sha256()
    count, total, squares = 0, np.zeros(1), 0.0
    with (
        np.errstate(over="ignore"),  # _parse refuses what float32 cannot hold
        _open(source, member) as (name, size, lines),
        (folder / "words.txt").open("wb") as words_file,
        (folder / "vectors.npy").open("wb") as rows_file,
        progress_of_bytes(f"converting {name}", size) as show,
    ):
        for words, rows in _blocks(lines, name):  # rows: (block, dim)
            if not count:
                _write_header(rows_file, (0, rows.shape[1]))  # leaves room for the final number of rows
            text = "".join(f"{word}\n" for word in words).encode()
            words_file.write(text)
            rows_file.write(rows.tobytes())
            words_hash.update(text)
            rows_hash.update(rows.tobytes())
            count += len(rows)
            total = total + rows.sum(axis=0, dtype=np.float64)  # (dim,)
            squares += float(np.square(rows, dtype=np.float64).sum())
            show(lines.tell())
        rows_file.seek(0)
        _write_header(rows_file, (count, len(total)))
    mean = total / count  # (dim,)
    std = max(squares / (count * len(total)) - float(mean.mean()) ** 2, 0.0) ** 0.5
    content = _digest(words_hash.hexdigest() + rows_hash.hexdigest())
    meta = {"source": name, "words": count, "dim": len(total), "content": content, "std": std}
    (folder / "meta.json").write_text(json.dumps(meta | {"mean": mean.tolist()}))
    log.info("converted %s: %d words, %d dimensions", name, count, len(total))


def _write_header(file: IO[bytes], shape: tuple[int, int]) -> None:
    """Write a .npy header; NumPy pads it so that it has one length whatever the number of rows."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _load(folder: Path) -> tuple[Floats, dict[str, Any]]:
    """Open converted vectors: (words, dim) by memory map, and what is known of them."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        if vectors.shape != (meta["words"], meta["dim"]):
            raise ValueError(f"it holds {vectors.shape[0]} of {meta['words']} vectors")
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise CacheError(f"{folder} is damaged ({error}); delete it, it is made again") from error
    return vectors, meta


@contextmanager
def _open(source: Path, member: str | None) -> Iterator[tuple[str, int | None, IO[bytes] | gzip.GzipFile]]:
    """Open a file of vectors: its name for messages, its size in bytes where known, its lines."""
    suffix = source.suffix.lower()
    if suffix == ".zip":
        with zipfile.ZipFile(source) as archive:
            name = _member(archive, member)
            with archive.open(name) as lines:
                yield f"{source}/{name}", archive.getinfo(name).file_size, lines
    elif suffix == ".gz":
        with gzip.open(source) as lines:
            yield str(source), None, lines
    else:
        with source.open("rb") as lines:
            yield str(source), source.stat().st_size, lines


def _member(archive: zipfile.ZipFile, member: str | None) -> str:
    """Return the name of the file to read in an archive."""
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if member is None and len(names) == 1:
        return names[0]
    if member is None:
        raise ConfigError(f"{archive.filename} holds several files; set embedding.member to one of: {', '.join(names)}")
    if member not in names:
        raise ConfigError(f"{archive.filename} has no member '{member}'{nearest(member, names)}")
    return member


def _blocks(lines: Iterable[bytes], name: str) -> Iterator[tuple[list[str], Floats]]:
    """Yield up to ``BLOCK`` different words and their vectors, (words, dim), until the lines end.

    The vectors are overwritten by the next block. The dimension is that of the first line; a first line
    of two integers, as word2vec writes it, is a header and is passed over.
    """
    seen: set[str] = set()
    words: list[str] = []
    rows = np.empty((BLOCK, 0), dtype=np.float32)  # (block, dim)
    for number, line in enumerate(lines, start=1):
        line = line.rstrip(b" \r\n")
        if number == 1 and COUNT_HEADER.fullmatch(line):
            continue
        if not rows.size:
            rows = np.empty((BLOCK, max(line.count(b" "), 1)), dtype=np.float32)
        word = _parse(line, row=rows[len(words)], where=f"{name}, line {number}")
        if word in seen:
            continue
        seen.add(word)
        words.append(word)
        if len(words) == BLOCK:
            yield words, rows
            words = []
    if words:
        yield words, rows[: len(words)]
    if not seen:
        raise DataFormatError(f"{name} holds no vectors; expected lines of a word and its numbers")


def _parse(line: bytes, *, row: Floats, where: str) -> str:
    """Write the numbers of a line into ``row`` and return its word, which may itself hold spaces."""
    expected = f"{where}: expected a word and {len(row)} numbers, as on the first line"
    start, *numbers = line.rsplit(b" ", len(row))
    if len(numbers) < len(row):
        raise DataFormatError(f"{expected}, found {len(numbers)}; mend the line or fetch the file again")
    if b" " in start and _is_number(start.rsplit(b" ", 1)[-1]):
        raise DataFormatError(f"{expected}, found more; mend the line or fetch the file again")
    try:
        word = start.decode()
        row[:] = numbers  # parsed by NumPy
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{where}: the word is not UTF-8; convert the file to UTF-8") from error
    except ValueError as error:
        raise DataFormatError(f"{expected}, found something else ({error}); mend it or fetch it again") from error
    if not np.isfinite(row).all():
        raise DataFormatError(f"{expected}, found one that is not finite; mend it or fetch it again")
    return word


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
