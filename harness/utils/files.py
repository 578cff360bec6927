"""Write files safely: under a temporary name first, then renamed, so that nobody ever sees half a file."""

import glob
import hashlib
import json
import os
import re
import socket
import stat
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.errors import WRITE_FIXES, DataFormatError
from harness.utils.signals import is_alive

_FOREIGN = 24 * 3600  # seconds after which the unfinished file of another machine is taken for a left-over


def as_file_name(text: str) -> str:
    """Return a text as the name of a file or folder: all but letters, digits and ``_.+-`` become ``_``."""
    return re.sub(r"[^\w.+-]", "_", text)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; rename it to ``path`` if the block ends without an error.

    The file gets the mode that the umask gives, even if the block creates it with another one. What killed
    processes have left of the same file is removed.

    Raises:
        OSError: The file cannot be written; the error has the path, also if it comes from a library.
    """
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_over(path)
        temporary.unlink(missing_ok=True)
        temporary.touch(exist_ok=False)
        mode = stat.S_IMODE(temporary.stat().st_mode)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        if stat.S_IMODE(temporary.stat().st_mode) != mode:
            temporary.chmod(mode)
        temporary.replace(path)
    except Exception as error:
        number = _errno(error)
        if number not in WRITE_FIXES or getattr(error, "filename", None) not in (None, str(temporary)):
            raise  # it is not about this file
        raise OSError(number, os.strerror(number), str(path)) from error
    finally:
        with suppress(OSError):  # an error of the block must not be replaced by this one
            temporary.unlink(missing_ok=True)


def _remove_left_over(path: Path) -> None:
    """Remove the temporary files of ``path`` whose processes were killed."""
    name = re.compile(rf"\.{re.escape(path.name)}\.(?:(.+)\.)?(\d+)\.tmp")
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError):  # another process removes it too, or it is another user's
            if match := name.fullmatch(other.name):
                own = match[1] in (None, socket.gethostname())
                if (own and not is_alive(int(match[2]))) or time.time() - other.stat().st_mtime > _FOREIGN:
                    other.unlink()


def _errno(error: BaseException | None) -> int:
    """Return the number of the system error behind an error; 0 if there is none.

    ``safetensors`` and ``h5py`` write it into their own text; ``torch.save`` raises another error while it handles it.
    """
    while error is not None:
        match = re.search(r"\b(?:os error|errno =) (\d+)", str(error))
        if number := getattr(error, "errno", None) or (int(match[1]) if match else 0):
            return int(number)
        error = error.__context__
    return 0


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
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataFormatError(f"{path}: no such file") from None
    except OSError as error:
        raise DataFormatError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # ValueError: not JSON, not UTF-8, or a number of too many digits
        raise DataFormatError(f"{path}: not JSON ({error}); {fix}") from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], *, about: dict[str, str] | None = None) -> None:
    """Write a safetensors file, either completely or not at all.

    Args:
        path: The file to write or replace; missing folders are created.
        tensors: The tensors by name, on any device. Tensors that share memory, as tied weights do, are each written.
        about: The metadata of the file.
    """
    from safetensors.torch import save_file

    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    seen = Counter(tensor.untyped_storage().data_ptr() for tensor in kept.values())
    kept = {n: t.clone() if seen[t.untyped_storage().data_ptr()] > 1 else t for n, t in kept.items()}

    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(kept, temporary, about)
        temporary.chmod(mode)  # safetensors lets only the owner read its files
