"""Export the vectors of a text in parts: a stopped export continues, and memory does not grow with the text."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from harness.errors import ConfigError, DataFormatError
from harness.prediction.vector_files import Entry, writer_for
from harness.protocols import Encoder
from harness.types import Sentence
from harness.utils.console import progress
from harness.utils.files import replacing

Reduce = Callable[[Tensor], Tensor]  # (layers, tokens, dim) -> the same, or (tokens, dim)

log = logging.getLogger(__name__)

_PART = 500  # sentences that are encoded and kept together


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export has written.

    Attributes:
        sentences, tokens: How many there were.
        empty: How many sentences had no tokens.
        resumed: How many sentences an earlier, stopped export had encoded.
    """

    sentences: int
    tokens: int
    empty: int
    resumed: int


def export_vectors(
    sentences: Iterable[Sentence],
    out: Path,
    *,
    encoder: Encoder,
    reduce: Reduce,
    identity: Any,
    overwrite: bool = False,
    check: Callable[[], None] = lambda: None,
) -> Exported:
    """Encode sentences and write their vectors.

    Parts of the result are kept in the folder ``OUT.parts`` until the file is complete. The name of a part has a
    digest of its sentences, so an export that continues after a change of the text encodes what has changed.

    Args:
        sentences: The sentences in order; one without tokens has empty vectors.
        out: The file to write; its suffix chooses the format.
        encoder: The encoder.
        reduce: What to keep of the layers.
        identity: Plain values that say what ``reduce`` does; parts of another reduction or encoder are not used.
        overwrite: Whether to replace ``out`` if it exists.
        check: Called after each part; it may raise in order to stop.

    Raises:
        ConfigError: ``out`` exists, or its suffix stands for no format.
    """
    write = writer_for(out)
    if out.exists() and not overwrite:
        raise ConfigError(f"{out}: exists already; choose another name, or add --overwrite")
    if not out.parent.is_dir():
        raise ConfigError(f"{out.parent}: there is no such folder; create it")
    folder = out.with_name(f"{out.name}.parts")
    about = {"encoder": encoder.fingerprint, "reduce": identity}
    counts = {"sentences": 0, "tokens": 0, "empty": 0, "resumed": 0}
    parts: list[Path] = []
    for number, part in enumerate(progress(_parts(sentences), "encoding", total=None)):
        path = folder / f"{number:06d}-{_digest(part, about)}.npz"
        if path.exists():
            counts["resumed"] += len(part)
        else:
            for old in folder.glob(f"{number:06d}-*.npz"):
                old.unlink()
            _write_part(path, part, encoder, reduce)
            check()
        parts.append(path)
        counts["sentences"] += len(part)
        counts["tokens"] += sum(map(len, part))
        counts["empty"] += sum(not sentence for sentence in part)
    if not parts:
        raise DataFormatError("there are no sentences to encode; check the input")
    with replacing(out) as temporary:
        write(temporary, _entries(parts))
    shutil.rmtree(folder)
    return Exported(**counts)


def _parts(sentences: Iterable[Sentence]) -> Iterator[list[Sentence]]:
    """Yield the sentences in lists of ``_PART``."""
    rest = iter(sentences)
    while part := list(islice(rest, _PART)):
        yield part


def _digest(part: list[Sentence], about: Any) -> str:
    """Return a digest of everything that determines the vectors of a part."""
    return hashlib.sha256(json.dumps([about, part], sort_keys=True).encode()).hexdigest()[:16]


def _write_part(path: Path, part: list[Sentence], encoder: Encoder, reduce: Reduce) -> None:
    """Encode the sentences of a part, each different one once, and keep their vectors."""
    unique = list(dict.fromkeys(part))
    vectors = {unique[index]: reduce(layers).numpy() for index, layers in encoder.encode(unique)}
    arrays = {str(i): vectors[sentence] for i, sentence in enumerate(part)}
    arrays["tokens"] = np.frombuffer(json.dumps(part).encode(), np.uint8)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes every keyword for its own option


def _entries(parts: Iterable[Path]) -> Iterator[Entry]:
    """Yield the sentences of all parts with their vectors."""
    for path in parts:
        with np.load(path, allow_pickle=False) as kept:
            for i, sentence in enumerate(json.loads(kept["tokens"].tobytes())):
                yield tuple(sentence), kept[str(i)]
