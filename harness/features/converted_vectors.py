"""Converted word vectors on disk: read by memory map, and compared with their checksums before they are used.

A folder holds ``vectors.npy``, float32 (words, dim), ``words.txt``, one word per line, ``checksums.bin``, the CRC-32 of
each row of the vectors, and ``meta.json``, which holds the digests of the other files and of itself. Only the rows
that are read are checked, because a text needs few of the vectors, and checking all of GloVe takes a second.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import CacheError
from harness.utils.files import write_json
from harness.utils.text_files import read_json

Floats = NDArray[np.float32]


class ConvertedVectors:
    """The words and vectors of one folder.

    Args:
        folder: The folder, which ``glove_text`` has written.

    Attributes:
        meta: The contents of ``meta.json``: number of words, width, digest of the content, mean, standard deviation.
        vectors: float32 (words, dim), by memory map. Call ``check`` before reading rows.

    Raises:
        CacheError: A file is damaged or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._size("meta.json")
        self.meta = read_json(folder / "meta.json", fix=f"delete {folder} to convert again", error=CacheError)
        digest = self.meta.pop("digest", None) if isinstance(self.meta, dict) else None
        if digest != _digest_of_meta(self.meta):
            raise self._damaged("meta.json")
        shape = self.meta["words"], self.meta["dim"]
        if self._size("vectors.npy") != self.meta["offset"] + 4 * shape[0] * shape[1]:
            raise self._damaged("vectors.npy")
        self.vectors: Floats = np.memmap(
            folder / "vectors.npy", dtype="<f4", mode="r", offset=self.meta["offset"], shape=shape
        )  # (words, dim)
        self._checked = np.zeros(shape[0], dtype=bool)  # (words,)

    def check(self, rows: NDArray[np.int64]) -> None:
        """Compare vectors with their checksums, those that were compared before excepted.

        Args:
            rows: The rows that will be read, int64 (rows,).

        Raises:
            CacheError: A vector is not the one that was written.
        """
        for row in np.unique(rows[~self._checked[rows]]).tolist():
            if zlib.crc32(self.vectors[row]) != self._checksums[row]:
                raise self._damaged(f"vectors.npy, row {row}")
            self._checked[row] = True

    @cached_property
    def words(self) -> list[str]:
        """The words, in the order of the rows; read at the first lookup."""
        return self._read("words.txt").decode().split("\n")[:-1]

    @cached_property
    def _checksums(self) -> list[int]:
        """The CRC-32 of each row."""
        checksums: list[int] = np.frombuffer(self._read("checksums.bin"), dtype="<u4").tolist()
        return checksums

    def _read(self, name: str) -> bytes:
        """Return the content of a file, compared with its digest."""
        self._size(name)
        content = (self._folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != self.meta[name]:
            raise self._damaged(name)
        return content

    def _size(self, name: str) -> int:
        """Return the size of a file, which must be readable."""
        try:
            with (self._folder / name).open("rb") as file:
                return file.seek(0, 2)
        except PermissionError:
            raise CacheError(f"{self._folder / name}: not readable by you; set cache_dir=DIR") from None
        except OSError as error:
            raise self._damaged(f"{name}: {error.strerror}") from None

    def _damaged(self, what: str) -> CacheError:
        return CacheError(f"{self._folder} is damaged ({what}); delete it to convert the vectors again")


def write_meta(folder: Path, meta: Mapping[str, Any]) -> None:
    """Write ``meta.json`` with a digest of itself.

    Args:
        folder: The folder of the converted vectors.
        meta: The contents.
    """
    write_json(folder / "meta.json", {**meta, "digest": _digest_of_meta(meta)})


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _digest_of_meta(meta: Any) -> str:
    return text_digest(json.dumps(meta))
