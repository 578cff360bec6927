"""Write files safely: under a temporary name first, then renamed, so that nobody ever sees half a file."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.errors import DataFormatError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; rename it to ``path`` if the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    r"""Write a UTF-8 text file, either completely or not at all.

    Half of a surrogate pair, which UTF-8 cannot represent, is written as an escape (``\\ud83d``), so that JSON is read
    back unchanged. Python also uses such characters for bytes of a file name that are not UTF-8.

    Args:
        path: The file to write or replace; missing folders are created.
        text: The content, with its line ends.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, either completely or not at all.

    Args:
        path: The file to write or replace; missing folders are created.
        value: Anything that ``json.dumps`` accepts.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_written_json(path: Path, *, fix: str) -> Any:
    """Return the value in a JSON file that ``write_json`` wrote. Unlike a data file, it may hold any text.

    Args:
        path: The file.
        fix: What the user should do if the file is damaged; it ends the error message.

    Raises:
        DataFormatError: The file cannot be read or is not JSON.
    """
    if not path.is_file():
        raise DataFormatError(f"{path}: no such file")
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataFormatError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # ValueError: not JSON, not UTF-8, or a number of too many digits
        raise DataFormatError(f"{path}: not JSON ({error}); {fix}") from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], *, about: dict[str, str] | None = None) -> None:
    """Write a safetensors file, either completely or not at all.

    Args:
        path: The file to write or replace; missing folders are created.
        tensors: The tensors by name, on any device.
        about: The metadata of the file.
    """
    from safetensors.torch import save_file

    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary, about)
        temporary.chmod(mode)  # safetensors lets only the owner read its files
