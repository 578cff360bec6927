"""Read text files, plain or ``.gz``; errors name the file and the line."""

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from harness.errors import DataFormatError


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Yield the number of each line of a UTF-8 file, counted from 1, and its text without the line end.

    Only ``\n`` or ``\r\n`` ends a line, because text from the web contains other characters (such as U+2028) that
    ``str.splitlines`` would split at.

    Raises:
        DataFormatError: The file is missing, a folder, damaged or not UTF-8.
    """
    number = 1
    try:
        # Bytes, because text mode would end lines at a lone "\r" too.
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if number == 1:
                    raw = raw.removeprefix(codecs.BOM_UTF8)
                yield number, raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise DataFormatError(
            f"{path}:{number}: not UTF-8 at byte {error.start + 1} of the line; "
            "convert the file, for example with iconv -f latin1 -t utf-8"
        ) from error
    except FileNotFoundError as error:
        raise DataFormatError(_missing(path)) from error
    except IsADirectoryError as error:
        raise DataFormatError(f"{path}: is a folder; give the path of one file in it") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataFormatError(f"{path}: cannot be read ({error}); check permissions or download it again") from error


def read_json(path: Path, *, fix: str) -> Any:
    """Return the value in a JSON file.

    Args:
        path: A UTF-8 file that is one JSON value, plain or ``.gz``.
        fix: What the user should do if the file is not valid; it ends the error message.

    Raises:
        DataFormatError: The file cannot be read, is empty or is not JSON; the message names the line.
    """
    content = "\n".join(line for _, line in numbered_lines(path))
    if not content.strip():
        raise DataFormatError(f"{path}: is empty; {fix}")
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise DataFormatError(f"{path}:{error.lineno}: not JSON ({error.msg}); {fix}") from None
    except RecursionError:
        raise DataFormatError(f"{path}: nested too deeply; {fix}") from None


def _missing(path: Path) -> str:
    """Return the message for a missing file, with the nearest name in its folder."""
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    match = get_close_matches(path.name, names, n=1)
    hint = f"; did you mean '{match[0]}'?" if match else ""
    return f"{path}: no such file{hint}; data=sample needs no file"
