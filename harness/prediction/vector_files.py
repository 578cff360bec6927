"""Write the vectors of sentences to a file: AllenNLP's HDF5 layout, ``.npz`` or Parquet."""

import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from harness.errors import ConfigError
from harness.types import Sentence

Entry = tuple[Sentence, np.ndarray]  # a sentence, and its vectors: (layers, tokens, dim) or (tokens, dim)
Writer = Callable[[Path, Iterable[Entry]], None]


def writer_for(path: Path) -> Writer:
    """Return the function that writes the format of a file's suffix.

    Raises:
        ConfigError: The suffix stands for none of the formats.
    """
    if path.suffix not in _WRITERS:
        raise ConfigError(f"{path}: unknown kind of file '{path.suffix}'; use {', '.join(_WRITERS)}")
    return _WRITERS[path.suffix]


def write_hdf5(path: Path, entries: Iterable[Entry]) -> None:
    """Write AllenNLP's layout.

    The vectors of sentence i are the dataset ``"i"``. The dataset ``sentence_to_index`` holds one JSON string: an
    object from each sentence, its tokens joined by spaces, to its number as a string.

    Args:
        path: The file to write.
        entries: The sentences with their vectors, in order.

    Source:
        AllenNLP 0.9, ``allennlp/commands/elmo.py``.
    """
    import h5py

    index: dict[str, str] = {}
    with h5py.File(path, "w") as file:
        for i, (sentence, vectors) in enumerate(entries):
            file.create_dataset(str(i), data=vectors)
            index[" ".join(sentence)] = str(i)
        names = file.create_dataset("sentence_to_index", (1,), dtype=h5py.string_dtype())
        names[0] = json.dumps(index)


def write_npz(path: Path, entries: Iterable[Entry]) -> None:
    """Write an archive that ``numpy.load`` opens: the array ``"i"`` holds the vectors of sentence i.

    Args:
        path: The file to write.
        entries: The sentences with their vectors, in order.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for i, (_, vectors) in enumerate(entries):
            with archive.open(f"{i}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, vectors, allow_pickle=False)


def write_parquet(path: Path, entries: Iterable[Entry]) -> None:
    """Write a table with one row for each sentence: ``tokens``, ``shape``, and ``vectors`` as a flat list.

    Args:
        path: The file to write.
        entries: The sentences with their vectors, in order.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(
        [("tokens", pa.list_(pa.string())), ("shape", pa.list_(pa.int32())), ("vectors", pa.list_(pa.float32()))]
    )
    with parquet.ParquetWriter(path, schema, use_dictionary=False) as writer:  # hardly two vectors have equal values
        for rows in _groups(entries, values=2**20):
            columns = {
                "tokens": [list(sentence) for sentence, _ in rows],
                "shape": [list(vectors.shape) for _, vectors in rows],
                "vectors": [vectors.ravel() for _, vectors in rows],
            }
            writer.write_table(pa.table(columns, schema=schema))


def _groups(entries: Iterable[Entry], *, values: int) -> Iterable[list[Entry]]:
    """Yield entries in groups of about this many values."""
    group: list[Entry] = []
    size = 0
    for entry in entries:
        group.append(entry)
        size += entry[1].size
        if size >= values:
            yield group
            group, size = [], 0
    if group:
        yield group


_WRITERS: dict[str, Writer] = {".hdf5": write_hdf5, ".h5": write_hdf5, ".npz": write_npz, ".parquet": write_parquet}
