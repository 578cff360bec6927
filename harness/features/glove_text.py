"""GloVe's text format, one word and its numbers per line: it is read and checked once and converted to NumPy files."""

import gzip
import hashlib
import json
import logging
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from harness.errors import CacheError, ConfigError, DataFormatError, nearest
from harness.utils.console import progress_of_bytes
from harness.utils.download import sha256_of
from harness.utils.locks import ProcessLock

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

_LAYOUT = 1  # raised when the converted files change, so that older ones are not read
_BLOCK = 4096  # lines converted at a time
_HEADER = {"descr": "<f4", "fortran_order": False}  # of vectors.npy
_COUNT_HEADER = re.compile(rb"\d+ \d+")
_ENDS_IN_NUMBER = re.compile(rb" [-+]?((\d+\.?\d*|\.\d+)(e[-+]?\d+)?|nan|inf)$", re.IGNORECASE)


def open_vectors(source: Path, *, member: str | None, root: Path, record: Path) -> tuple[Path, Floats, dict[str, Any]]:
    """Open the vectors of a file in GloVe's text format, which is converted at its first use.

    Args:
        source: The file as it was published: text, ``.gz`` or ``.zip``.
        member: Which file of a ``.zip`` to read; None if it holds only one. Ignored for other files.
        root: The folder that holds the folders of all converted vectors.
        record: The small file that remembers the digest of ``source``.

    Returns:
        The folder of the converted files, the vectors by memory map (words, dim), and the contents of ``meta.json``.

    Raises:
        ConfigError: The zip file has no such member.
        DataFormatError: The file is missing or damaged, or a line is not a word and its numbers.
        CacheError: The converted vectors cannot be written, or they are damaged.
    """
    folder = _convert_once(source, member=member, root=root, record=record)
    try:
        meta = json.loads((folder / "meta.json").read_text())
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        if vectors.shape != (meta["words"], meta["dim"]):
            raise ValueError(f"it holds {vectors.shape[0]} of {meta['words']} vectors")
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise CacheError(f"{folder} is damaged ({error}); delete it to convert the vectors again") from error
    return folder, vectors, meta


def _convert_once(source: Path, *, member: str | None, root: Path, record: Path) -> Path:
    """Return the folder with the converted vectors. Convert them first unless that was done before."""
    if not source.is_file():
        raise DataFormatError(f"no file {source}; set embedding.path to word vectors as .txt, .gz or .zip")
    member = member if source.suffix.lower() == ".zip" else None
    stem = Path(member or source.name).stem
    try:
        root.mkdir(parents=True, exist_ok=True)
        key = text_digest(json.dumps([_LAYOUT, sha256_of(source, record=record), member]))[:16]
        folder = root / f"{stem}-{key}"
        partial = root / f"{stem}-{key}.partial"
        with ProcessLock(root / f"{stem}-{key}.lock").held():
            if folder.exists():
                return folder
            partial.mkdir(exist_ok=True)  # a killed process may have left it; its files are overwritten
            try:
                _convert(source, member=member, folder=partial)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataFormatError(f"{source} is damaged ({error}); delete it and download it again") from error
    except OSError as error:
        reason = error.strerror or error
        raise CacheError(f"cannot convert {source} in {root}: {reason}; free some space or change cache_dir") from error
    return folder


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _convert(source: Path, *, member: str | None, folder: Path) -> None:
    """Write ``vectors.npy``, ``words.txt`` and ``meta.json``; only one block is in memory at a time."""
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
                write_array_header_1_0(rows_file, _HEADER | {"shape": (0, rows.shape[1])})  # replaced at the end
            text = "".join(f"{word}\n" for word in words).encode()
            for file, digest, data in ((words_file, words_hash, text), (rows_file, rows_hash, rows.tobytes())):
                file.write(data)
                digest.update(data)
            count += len(rows)
            total = total + rows.sum(axis=0, dtype=np.float64)  # (dim,)
            squares += float(np.square(rows, dtype=np.float64).sum())
            show(lines.tell())
        rows_file.seek(0)
        write_array_header_1_0(rows_file, _HEADER | {"shape": (count, len(total))})  # NumPy pads it to one length
    mean = total / count  # (dim,)
    std = max(squares / (count * len(total)) - float(mean.mean()) ** 2, 0.0) ** 0.5
    content = text_digest(words_hash.hexdigest() + rows_hash.hexdigest())
    meta = {"source": name, "words": count, "dim": len(total), "content": content, "std": std}
    (folder / "meta.json").write_text(json.dumps(meta | {"mean": mean.tolist()}))
    log.info("converted %s: %d words, %d dimensions", name, count, len(total))


@contextmanager
def _open(source: Path, member: str | None) -> Iterator[tuple[str, int | None, IO[bytes] | gzip.GzipFile]]:
    """Open a file of vectors; yield its name for messages, its size in bytes if known, and its lines."""
    if source.suffix.lower() == ".zip":
        with zipfile.ZipFile(source) as archive, archive.open(name := _member(archive, member)) as lines:
            yield f"{source}/{name}", archive.getinfo(name).file_size, lines
    else:
        packed = source.suffix.lower() == ".gz"
        with gzip.open(source) if packed else source.open("rb") as lines:
            yield str(source), None if packed else source.stat().st_size, lines


def _member(archive: zipfile.ZipFile, member: str | None) -> str:
    """Return the name of the file to read from an archive."""
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if member is None and len(names) == 1:
        return names[0]
    if member is None:
        raise ConfigError(f"{archive.filename} holds several files; set embedding.member to one of: {', '.join(names)}")
    if member not in names:
        raise ConfigError(f"{archive.filename} has no member '{member}'{nearest(member, names)}")
    return member


def _blocks(lines: Iterable[bytes], name: str) -> Iterator[tuple[list[str], Floats]]:
    """Yield up to ``_BLOCK`` different words and their vectors, (words, dim), until the lines end.

    The next block overwrites the vectors. The first line sets the dimension; if it is a pair of integers, as word2vec
    writes it, it is a header and is skipped.
    """
    seen: set[str] = set()
    words: list[str] = []
    rows = np.empty((_BLOCK, 0), dtype=np.float32)  # (block, dim)
    for number, line in enumerate(lines, start=1):
        line = line.rstrip(b" \r\n")
        if number == 1 and _COUNT_HEADER.fullmatch(line):
            continue
        if not rows.size:
            rows = np.empty((_BLOCK, max(line.count(b" "), 1)), dtype=np.float32)
        word = _parse(line, row=rows[len(words)], where=f"{name}, line {number}")
        if word in seen:
            continue
        seen.add(word)
        words.append(word)
        if len(words) == _BLOCK:
            yield words, rows
            words = []
    if words:
        yield words, rows[: len(words)]
    if not seen:
        raise DataFormatError(f"{name} holds no vectors; expected lines of a word and its numbers")


def _parse(line: bytes, *, row: Floats, where: str) -> str:
    """Write the numbers of a line into ``row`` and return its word, which may itself contain spaces."""

    def wrong(found: str) -> DataFormatError:
        expected = f"expected a word and {len(row)} numbers, as on the first line"
        return DataFormatError(f"{where}: {expected}, found {found}; fix the line or download the file again")

    start, *numbers = line.rsplit(b" ", len(row))
    if len(numbers) < len(row):
        raise wrong(str(len(numbers)))
    if _ENDS_IN_NUMBER.search(start):
        raise wrong("more")
    try:
        word = start.decode()
        row[:] = numbers  # parsed by NumPy
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{where}: the word is not UTF-8; convert the file to UTF-8") from error
    except ValueError as error:
        raise wrong(f"something else ({error})") from error
    if not np.isfinite(row).all():
        raise wrong("one that is not finite")
    return word
