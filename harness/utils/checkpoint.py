"""Write and read checkpoints: files of ``torch.save`` that end with the SHA-256 of what comes before."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar, get_type_hints

import torch
from pydantic import TypeAdapter

from harness.errors import HarnessError
from harness.utils.files import replacing

T = TypeVar("T")

_DIGEST_SIZE = hashlib.sha256().digest_size
_WRONG = (ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError, TypeError, UnpicklingError, ValueError)
_PIECE = 1 << 20  # bytes that are read at a time


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, either completely or not at all.

    Args:
        path: The file to write or replace; missing folders are created.
        state: Tensors and plain values by name, nested as deeply as needed.
    """
    # Given a path, torch would write the file itself, and report a full disk without its reason.
    with replacing(path) as temporary, temporary.open("w+b") as file:
        torch.save(state, file)
        file.seek(0)
        file.write(hashlib.file_digest(file, "sha256").digest())  # torch ignores what follows its own content


@contextmanager
def reading_checkpoint(path: Path, *, device: str) -> Iterator[dict[str, Any]]:
    """Yield the content of a checkpoint to a block that restores it.

    Args:
        path: The checkpoint.
        device: The device that receives the tensors.

    Raises:
        HarnessError: The file is damaged, or the block finds that it does not fit what it restores: ``ValueError``,
            ``KeyError`` and the like.
    """
    try:
        if not _is_whole(path):
            raise ValueError("it is damaged, or an older version of the harness wrote it")
        yield torch.load(path, weights_only=True, map_location=device)
    except torch.OutOfMemoryError:
        raise  # the checkpoint is not to blame
    except _WRONG as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        reason = " ".join(str(error).split())[:200]
        raise HarnessError(f"{path}: this checkpoint cannot be used ({kind}{reason}); delete it to restart") from None


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoint of a run, ``checkpoint.pt``, and those of the portions of its code length."""
    for path in folder.glob("checkpoint*.pt"):
        path.unlink(missing_ok=True)


def checked(kind: type[T], values: Mapping[str, Any]) -> T:
    """Return a dataclass of values from a checkpoint, whose types are checked.

    Args:
        kind: The dataclass.
        values: The value of each field.

    Raises:
        ValueError: A value is of another type.
        TypeError: The fields are others.
    """
    made = kind(**values)
    for name, hint in get_type_hints(kind).items():
        TypeAdapter(hint).validate_python(getattr(made, name), strict=True)  # raises a ValueError
    return made


def _is_whole(path: Path) -> bool:
    """Return whether a file ends with the SHA-256 of the rest."""
    digest, left = hashlib.sha256(), path.stat().st_size - _DIGEST_SIZE
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
        return file.read() == digest.digest()
