"""An append-only file of keyed byte strings that stays readable when its writer is killed at any moment.

``NAME.bin`` holds the byte strings one after another, and ``NAME.idx`` holds one fixed-size record per key. The bytes
reach the disk before their record does, so every record points to complete bytes. A crash can leave bytes without a
record, or a part of a record, at the end of the files: readers ignore them, and the next writer cuts them off.
"""

import errno
import mmap
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from harness.errors import CacheError

_RECORD = np.dtype([("key", "V16"), ("offset", "<u8"), ("size", "<u8"), ("data_crc", "<u4"), ("record_crc", "<u4")])
RECORD_BYTES = _RECORD.itemsize


class BlobFile:
    """Keyed byte strings on disk, read through a memory map and therefore without a copy.

    Any number of processes may read at the same time. Only one may append; the caller holds a lock for that.

    Args:
        path: The path of both files without their suffix. The folder must exist before the first ``append``.

    Raises:
        CacheError: A damaged record is followed by complete ones, or a file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._data_path, self._index_path = path.with_suffix(".bin"), path.with_suffix(".idx")
        self._rows: dict[bytes, int] = {}
        self._index = np.empty(0, _RECORD)
        self._verified = bytearray()
        self._map: mmap.mmap | None = None
        self.refresh()

    def __contains__(self, key: bytes) -> bool:
        return key in self._rows

    def refresh(self) -> None:
        """Read the records that other processes have appended; refuse a damaged one that complete ones follow."""
        try:
            if not self._index_path.exists():
                return
            with self._index_path.open("rb") as file:
                file.seek(self._index.nbytes)
                raw = file.read()
            data_size = self._data_path.stat().st_size if self._data_path.exists() else 0
        except OSError as error:
            raise _refused(self._index_path, error) from None
        records = np.frombuffer(raw, _RECORD, count=len(raw) // RECORD_BYTES)  # (records,)
        whole = (records["record_crc"] == _record_crcs(records)) & (records["offset"] + records["size"] <= data_size)
        if not whole.all():
            end = int(np.argmin(whole))
            if whole[end:].any():
                raise CacheError(
                    f"{self._index_path}: record {end} is damaged; delete the folder {self._data_path.parent}"
                )
            records = records[:end]
        self._add_records(records)

    def recover(self) -> None:
        """Cut off what a killed writer has left unfinished. The caller holds the lock.

        Raises:
            CacheError: A record is damaged, or the files cannot be written.
        """
        self.refresh()
        end = int((self._index["offset"] + self._index["size"]).max(initial=0))
        for path, size in ((self._index_path, self._index.nbytes), (self._data_path, end)):
            if path.exists() and path.stat().st_size > size:
                try:
                    os.truncate(path, size)
                except OSError as error:
                    raise _refused(path, error) from None

    def append(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Append pairs of a new key (16 bytes) and its bytes. The caller holds the lock and has called ``recover``.

        Raises:
            CacheError: The files cannot be written, for example because no space is left.
        """
        items = list(items)
        offset = self._data_path.stat().st_size if self._data_path.exists() else 0
        records = np.zeros(len(items), _RECORD)
        for i, (key, blob) in enumerate(items):
            records[i] = np.void(key), offset, len(blob), zlib.crc32(blob), 0
            offset += len(blob)
        records["record_crc"] = _record_crcs(records)
        try:
            _append(self._data_path, b"".join(blob for _, blob in items))
            _append(self._index_path, records.tobytes())
        except OSError as error:
            raise _refused(self._data_path, error) from None
        self._add_records(records)

    def read(self, key: bytes) -> memoryview:
        """Return the bytes of a key as a view of the memory map. The checksum is compared at the first read.

        Raises:
            KeyError: The file does not contain the key.
            CacheError: The bytes on disk are not those that were written.
        """
        row = self._rows[key]
        _, offset, size, data_crc, _ = self._index.item(row)
        if size == 0:
            return memoryview(b"")
        if self._map is None or len(self._map) < offset + size:
            try:
                with self._data_path.open("rb") as file:
                    self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except OSError as error:
                raise _refused(self._data_path, error) from None
        blob = memoryview(self._map)[offset : offset + size]
        if not self._verified[row]:
            if zlib.crc32(blob) != data_crc:
                raise CacheError(
                    f"{self._data_path}: wrong checksum at byte {offset}; delete the folder {self._data_path.parent}"
                )
            self._verified[row] = 1
        return blob

    def release(self) -> None:
        """Return the map's pages to the system, so that the process does not grow with what it has read.

        They stay in the system's page cache, where the next ``read`` finds them.
        """
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _add_records(self, records: np.ndarray) -> None:
        """Add records to the index in memory."""
        first = len(self._index)
        self._rows.update({key.tobytes(): first + i for i, key in enumerate(records["key"])})
        self._index = np.concatenate([self._index, records])
        self._verified.extend(bytes(len(records)))


def _refused(path: Path, error: OSError) -> CacheError:
    """Return the error for a file that the system does not let us read or write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CacheError(f"{path}: no space left on the device; free some, set cache_dir=DIR, or cache=none")
    return CacheError(f"{path}: {error.strerror or error}; check its permissions, set cache_dir=DIR, or cache=none")


def _append(path: Path, data: bytes) -> None:
    """Append bytes to a file and wait until they are on disk."""
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _record_crcs(records: np.ndarray) -> np.ndarray:
    """Return the checksum of each record's other fields: uint32 (records,)."""
    raw = records.tobytes()
    crcs = [zlib.crc32(raw[start : start + RECORD_BYTES - 4]) for start in range(0, len(raw), RECORD_BYTES)]
    return np.array(crcs, dtype=np.uint32)
