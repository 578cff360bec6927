"""An append-only file of keyed byte strings that survives being killed at any moment.

Two files: ``NAME.bin`` holds the bytes end to end, ``NAME.idx`` one fixed-size record a key. The bytes are
on disk before their record is, so what the index names is whole. After a crash there may be bytes without
a record, or a part of a record, at the end: a reader passes over them and the next writer cuts them off.
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
    """Keyed byte strings on disk, read through a memory map.

    Any number of processes may read; appending is for one at a time, which the caller's lock sees to.

    Args:
        path: without suffix; the folder must exist.
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
        """Take in what other processes have appended."""
        if not self._index_path.exists():
            return
        with self._index_path.open("rb") as file:
            file.seek(self._index.nbytes)
            raw = file.read()
        records = np.frombuffer(raw, _RECORD, count=len(raw) // _RECORD.itemsize)  # (records,)
        data_size = self._data_path.stat().st_size if self._data_path.exists() else 0
        whole = (records["record_crc"] == _record_crcs(records)) & (records["offset"] + records["size"] <= data_size)
        if not whole.all():
            end = int(np.argmin(whole))
            if whole[end:].any():
                raise CacheError(f"{self._index_path}: record {end} is damaged; delete the folder {self._folder}")
            records = records[:end]
        self._take(records)

    def recover(self) -> None:
        """Cut off what a killed writer left unfinished. The caller holds the lock."""
        self.refresh()
        last = self._index[-1] if len(self._index) else None
        end = int(last["offset"]) + int(last["size"]) if last is not None else 0
        for path, size in ((self._index_path, self._index.nbytes), (self._data_path, end)):
            if path.exists() and path.stat().st_size > size:
                os.truncate(path, size)

    def append(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Append new keys with their bytes. The caller holds the lock, and has called ``recover`` once.

        Raises:
            CacheError: no space is left.
        """
        items = list(items)
        offset = self._data_path.stat().st_size if self._data_path.exists() else 0
        records = np.zeros(len(items), _RECORD)
        for record, (key, blob) in zip(records, items, strict=True):
            record["key"], record["offset"], record["size"] = np.void(key), offset, len(blob)
            record["data_crc"] = zlib.crc32(blob)
            offset += len(blob)
        records["record_crc"] = _record_crcs(records)
        try:
            _append(self._data_path, b"".join(blob for _, blob in items))
            _append(self._index_path, records.tobytes())
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise CacheError(
                f"{self._data_path}: no space left on the device; free some, set cache_dir=DIR, or cache=none"
            ) from None
        self._take(records)

    def read(self, key: bytes) -> memoryview:
        """Return the bytes of a key, as a view of the map.

        Raises:
            KeyError: there is no such key.
            CacheError: the bytes are not those that were written.
        """
        row = self._rows[key]
        record = self._index[row]
        offset, size = int(record["offset"]), int(record["size"])
        if size == 0:
            return memoryview(b"")
        if self._map is None or len(self._map) < offset + size:
            with self._data_path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        blob = memoryview(self._map)[offset : offset + size]
        if not self._verified[row]:
            if zlib.crc32(blob) != record["data_crc"]:
                raise CacheError(
                    f"{self._data_path}: wrong checksum at byte {offset}; delete the folder {self._folder}"
                )
            self._verified[row] = 1
        return blob

    def release(self) -> None:
        """Hand the map's pages back, so that what has been read does not add up in memory.

        They stay in the system's page cache; the next ``read`` finds them there.
        """
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _take(self, records: np.ndarray) -> None:
        first = len(self._index)
        self._rows.update({key.tobytes(): first + i for i, key in enumerate(records["key"])})
        self._index = np.concatenate([self._index, records])
        self._verified.extend(bytes(len(records)))

    @property
    def _folder(self) -> Path:
        return self._data_path.parent


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _record_crcs(records: np.ndarray) -> np.ndarray:
    width = _RECORD.itemsize - 4
    raw = records.tobytes()
    crcs = [zlib.crc32(raw[at : at + width]) for at in range(0, len(raw), _RECORD.itemsize)]
    return np.array(crcs, dtype=np.uint32)
