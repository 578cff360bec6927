"""GloVe's text format, one word and its numbers per line: it is read and checked once and converted to NumPy files."""

import gzip
import hashlib
import io
import json
import logging
import lzma
import re
import shutil
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib.format import write_array_header_1_0

from harness.errors import CacheError, ConfigError, DataFormatError, nearest
from harness.features.converted_vectors import ConvertedVectors, Floats, text_digest, write_meta
from harness.utils.console import progress_of_bytes
from harness.utils.download import sha256_of
from harness.utils.locks import ProcessLock
from harness.utils.text_files import GZIP, ZIP, OpenFile, bounded_lines, first_bytes, open_bytes, skip_mark

log = logging.getLogger(__name__)

_LAYOUT = 2  # raised when the converted files change, so that older ones are not read
_BLOCK = 4096  # lines converted at a time
_HEADER = {"descr": "<f4", "fortran_order": False}  # of vectors.npy
_MAX_DIM, _MAX_LINE = 2**14, 2**20  # numbers and bytes of a line, so that a wrong file does not fill the memory
_COUNT_HEADER = re.compile(rb"\d+[ \t]\d+")
_ENDS_IN_NUMBER = re.compile(rb" [-+]?((\d+\.?\d*|\.\d+)(e[-+]?\d+)?|nan|inf)$", re.IGNORECASE)


def open_vectors(source: Path, *, member: str | None, root: Path, record: Path) -> ConvertedVectors:
    """Open the vectors of a file in GloVe's text format, which is converted at its first use.

    Args:
        source: The file as it was published: text, ``.gz`` or ``.zip``, which its first bytes show.
        member: Which file of a ``.zip`` to read; None if it holds only one. Ignored for other files.
        root: The folder that holds the folders of all converted vectors.
        record: The small file that remembers the digest of ``source``.

    Raises:
        ConfigError: The zip file has no such member.
        DataFormatError: The file is missing or damaged, or a line is not a word and its numbers.
        CacheError: The converted vectors cannot be written, or they are damaged.
    """
    try:
        packed = first_bytes(source).startswith(ZIP)
        digest = sha256_of(source, record=record)
    except FileNotFoundError:
        raise DataFormatError(f"no file {source}; set embedding.path to word vectors as .txt, .gz or .zip") from None
    except OSError as error:
        raise DataFormatError(f"{source}: cannot be read ({error.strerror or error}); check its permissions") from None
    member = member if packed else None
    folder = root / f"{Path(member or source.name).stem}-{text_digest(json.dumps([_LAYOUT, digest, member]))[:16]}"
    if not folder.is_dir():  # no lock for what is finished, so that the cache may be read only
        _convert_once(source, packed=packed, member=member, folder=folder)
    return ConvertedVectors(folder)


def _convert_once(source: Path, *, packed: bool, member: str | None, folder: Path) -> None:
    """Convert vectors into a folder, unless another process has done so in the meantime."""
    partial = folder.with_name(f"{folder.name}.partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with ProcessLock(folder.with_name(f"{folder.name}.lock")).held():
            if folder.exists():
                return
            partial.mkdir(exist_ok=True)  # a killed process may have left it; its files are overwritten
            try:
                with _opened_zip(source, member) if packed else _opened_text(source) as (name, size, lines):
                    _convert(lines, name=name, size=size, folder=partial)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise DataFormatError(f"{source} is damaged ({error}); delete it and download it again") from error
    except OSError as error:
        reason = error.strerror or error
        raise CacheError(
            f"cannot convert {source} in {folder.parent}: {reason}; free some space or change cache_dir"
        ) from error


def _convert(lines: OpenFile, *, name: str, size: int | None, folder: Path) -> None:
    """Write the files of ``ConvertedVectors``; only one block is in memory at a time."""
    words_hash, rows_hash = hashlib.sha256(), hashlib.sha256()
    checksums = array("I")
    count, offset, total, squares = 0, 0, np.zeros(1), 0.0
    with (
        np.errstate(over="ignore"),  # _parse refuses what float32 cannot hold
        (folder / "words.txt").open("wb") as words_file,
        (folder / "vectors.npy").open("wb") as rows_file,
        progress_of_bytes(f"converting {name}", size) as show,
    ):
        for words, rows in _blocks(lines, name):  # rows: (block, dim)
            if not count:
                write_array_header_1_0(rows_file, _HEADER | {"shape": (0, rows.shape[1])})  # replaced at the end
                offset = rows_file.tell()
            text = "".join(f"{word}\n" for word in words).encode()
            for file, digest, data in ((words_file, words_hash, text), (rows_file, rows_hash, rows.tobytes())):
                file.write(data)
                digest.update(data)
            checksums.extend(zlib.crc32(row) for row in rows)
            count += len(rows)
            total = total + rows.sum(axis=0, dtype=np.float64)  # (dim,)
            squares += float(np.square(rows, dtype=np.float64).sum())
            show(lines.tell())
        rows_file.seek(0)
        write_array_header_1_0(rows_file, _HEADER | {"shape": (count, len(total))})  # NumPy pads it to one length
    (folder / "checksums.bin").write_bytes(packed := np.array(checksums, dtype="<u4").tobytes())
    mean = total / count  # (dim,)
    std = max(squares / (count * len(total)) - float(mean.mean()) ** 2, 0.0) ** 0.5
    content = text_digest(words_hash.hexdigest() + rows_hash.hexdigest())
    meta = {"source": name, "words": count, "dim": len(total), "offset": offset, "content": content, "std": std}
    meta |= {"words.txt": words_hash.hexdigest(), "checksums.bin": hashlib.sha256(packed).hexdigest()}
    write_meta(folder, meta | {"mean": mean.tolist()})
    log.info("converted %s: %d words, %d dimensions", name, count, len(total))


@contextmanager
def _opened_text(source: Path) -> Iterator[tuple[str, int | None, OpenFile]]:
    """Open a text file of vectors; yield its name for messages, its size in bytes if known, and the open file."""
    size = None if first_bytes(source).startswith(GZIP) else source.stat().st_size
    with open_bytes(source) as lines:
        yield str(source), size, lines


@contextmanager
def _opened_zip(source: Path, member: str | None) -> Iterator[tuple[str, int | None, OpenFile]]:
    """Open a file of vectors in an archive; yield the same as ``_opened_text``."""
    try:
        archive = zipfile.ZipFile(source)
        packed = archive.open(name := _member(archive, member))
    except (RuntimeError, ValueError) as error:  # how zipfile reports encryption, unknown methods and wrong names
        raise DataFormatError(f"{source}: cannot be unpacked ({error}); unpack it yourself") from None
    with archive, packed, io.BufferedReader(packed) as lines:  # type: ignore[type-var]
        skip_mark(lines)
        yield f"{source}/{name}", archive.getinfo(name).file_size, lines


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


def _blocks(file: OpenFile, name: str) -> Iterator[tuple[list[str], Floats]]:
    """Yield up to ``_BLOCK`` different words and their vectors, (words, dim), until the lines end.

    The next block overwrites the vectors. The first line sets the dimension.
    """
    seen: set[str] = set()
    words: list[str] = []
    repeated = 0
    rows = np.empty((_BLOCK, 0), dtype=np.float32)  # (block, dim)
    for number, line in _lines(file, name):
        where = f"{name}, line {number}"
        if not rows.size:
            rows = np.empty((_BLOCK, _dim(line, where)), dtype=np.float32)
        word = _parse(line, row=rows[len(words)], where=where)
        if word in seen:
            repeated += 1
            continue
        seen.add(word)
        words.append(word)
        if len(words) == _BLOCK:
            yield words, rows
            words = []
    if words:
        yield words, rows[: len(words)]
    if repeated:
        log.info("%s: left out %d lines, whose words occur before", name, repeated)
    if not seen:
        raise DataFormatError(f"{name} holds no vectors; expected lines of a word and its numbers")


def _lines(file: OpenFile, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each line with a vector, and its text, in which only spaces separate.

    If the first line is a pair of integers, as word2vec writes it, it is a header. If the first line with a vector has
    a tab, tabs separate. Blank lines are allowed at the end only.
    """
    blank, tabs = 0, None
    for number, line in bounded_lines(file, longest=_MAX_LINE, name=name):
        line = line.rstrip(b" \r\n")
        if number == 1 and _COUNT_HEADER.fullmatch(line):
            continue
        if not line:
            blank = blank or number
            continue
        if blank:
            raise DataFormatError(f"{name}, line {blank}: is blank, but lines follow; delete it")
        tabs = b"\t" in line if tabs is None else tabs
        yield number, line.replace(b"\t", b" ").rstrip(b" ") if tabs else line


def _dim(line: bytes, where: str) -> int:
    """Return how many numbers the first line has."""
    dim = max(line.count(b" "), 1)
    if dim > _MAX_DIM:
        raise DataFormatError(f"{where}: {dim:,} numbers; expected a word and at most {_MAX_DIM:,}")
    return dim


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
