"""Read text files, plain or compressed by gzip; errors name the file and the line.

Every reader of text, and every reader of JSON, is built on this file. What holds for all of them is here: a byte order
mark is not text, the size of a line is bounded, and what is not text is named by its first bytes.
"""

import codecs
import gzip
import json
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any

from harness.errors import DataFormatError, HarnessError

OpenFile = IO[bytes] | gzip.GzipFile

# Bytes of a line, and of a whole JSON file. The longest published one (SQuAD) has 30 MB, but a small compressed file
# can hold a line that fills the memory.
LONGEST = 2**27
_DIGITS = 300  # of a whole number in JSON
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"  # the first bytes of these formats

_NOT_TEXT = {  # first bytes: what the file is, and what to do
    ZIP: ("is a zip archive", "unpack it and give the file that is in it"),
    b"BZh9": ("is compressed by bzip2", "unpack it with bunzip2"),
    b"\xfd7zXZ\x00": ("is compressed by xz", "unpack it with unxz"),
    b"\x28\xb5\x2f\xfd": ("is compressed by zstd", "unpack it with unzstd"),
    b"PAR1\x15": ("is a Parquet table", "write it as text first"),
    b"\x89HDF": ("is an HDF5 file", "give a text file"),
    codecs.BOM_UTF16_LE: ("is UTF-16", "convert it, for example with iconv -f utf-16 -t utf-8"),
    codecs.BOM_UTF16_BE: ("is UTF-16", "convert it, for example with iconv -f utf-16 -t utf-8"),
}
# An escape in JSON. The group "lone" is half of a character that needs two escapes; no text can hold it.
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F]..)|.)", re.DOTALL)


class NotTextError(DataFormatError):
    """A file is not text.

    Args:
        what: Where and what is wrong.
        fix: What the user should do with a file that was given to the program.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what}; {fix}" if fix else what)
        self.what = what


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Yield the number of each line of a UTF-8 file, counted from 1, and its text without the line end.

    Only ``\n`` or ``\r\n`` ends a line, because text from the web contains other characters (such as U+2028) that
    ``str.splitlines`` would split at.

    Raises:
        DataFormatError: The file is missing, not a regular file, damaged, not UTF-8, or has a line of over 128 MiB.
    """
    try:
        with open_bytes(path) as file:
            yield from lines_of(file, name=str(path))
    except FileNotFoundError as error:
        raise NotTextError(f"{path}: no such file{_hint(path)}", "check the path") from error
    except PermissionError as error:
        raise DataFormatError(f"{path}: not readable by you; change its permissions or copy it") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise NotTextError(f"{path}: cannot be read ({reason})", "download it again") from error


def lines_of(file: OpenFile, *, name: str) -> Iterator[tuple[int, str]]:
    """Yield what ``numbered_lines`` yields, from an open file.

    Args:
        file: The file, for example standard input.
        name: The name of the file, which errors name.

    Raises:
        DataFormatError: A line is not UTF-8, or has over 128 MiB.
    """
    number = 0
    try:
        for number, raw in bounded_lines(file, longest=LONGEST, name=name):
            if b"\0" in raw:
                raise NotTextError(
                    f"{name}:{number}: holds a zero byte, as no text does",
                    "give a text file, or convert UTF-16, for example with iconv -f utf-16le -t utf-8",
                )
            yield number, raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise NotTextError(
            f"{name}:{number}: not UTF-8 at byte {error.start + 1} of the line",
            "convert the file, for example with iconv -f latin1 -t utf-8",
        ) from error


@contextmanager
def open_bytes(path: Path) -> Iterator[OpenFile]:
    """Open a text file to read its bytes, after its byte order mark; unpack it if its first bytes are those of gzip.

    Raises:
        DataFormatError: It is not a regular file, or its first bytes are those of another format than text.
        OSError: It cannot be read.
    """
    start = first_bytes(path)
    for signature, (what, fix) in _NOT_TEXT.items():
        if start.startswith(signature):
            raise NotTextError(f"{path}: {what}", fix)
    with gzip.open(path) if start.startswith(GZIP) else path.open("rb") as file:
        skip_mark(file)
        yield file


def skip_mark(file: OpenFile) -> None:
    """Read the byte order mark at the start of an open file, if it has one; it is not part of the text."""
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)


def first_bytes(path: Path) -> bytes:
    """Return the first 8 bytes of a file. Only a regular file is opened, because a pipe would be waited for.

    Raises:
        DataFormatError: It is not a regular file.
        OSError: It cannot be read.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise NotTextError(f"{path}: is a folder", "give the path of one file in it")
    if not stat.S_ISREG(mode):
        raise NotTextError(f"{path}: not a regular file", "it is read more than once, so write the text to a file")
    with path.open("rb") as file:
        return file.read(8)


def with_home(value: str) -> Path:
    """Return a path with the user's home folder in place of ``~``, which is a letter like any other elsewhere."""
    return Path(value).expanduser() if value == "~" or value.startswith("~/") else Path(value)


def exists(path: Path) -> bool:
    """Return whether there is a file or a folder; for a path that was given, and may be longer than any name can be."""
    try:
        return path.exists()
    except OSError:
        return False


def bounded_lines(file: OpenFile, *, longest: int, name: str) -> Iterator[tuple[int, bytes]]:
    r"""Yield the number of each line, counted from 1, and its bytes with the line end.

    Args:
        file: An open file.
        longest: The largest number of bytes that a line may have. A longer line is never in memory.
        name: The name of the file, for the error message.

    Raises:
        DataFormatError: A line is longer.
    """
    for number, raw in enumerate(iter(lambda: file.readline(longest + 1), b""), start=1):
        if len(raw) > longest:
            raise NotTextError(f"{name}:{number}: the line has over {longest:,} bytes", "end each line by a line feed")
        yield number, raw


def tab_columns(line: str, width: int) -> list[str]:
    """Return the columns of a line that tabs separate. White space after the last column is not another column.

    Args:
        line: The line.
        width: The number of columns of the file; 0 if this line shows it.
    """
    columns = line.split("\t")
    while len(columns) > max(width, 1) and not columns[-1].strip():
        columns.pop()
    return columns


def is_comment(line: str, columns: Sequence[str], *, width: int, tag: int) -> bool:
    """Return whether a line before a sentence of a column file is a comment: ``# id 12``, or ``#begin document``.

    ``#`` may also be a token. Then the line has as many columns as the others, and a tag such as ``O`` or ``B-LOC``.

    Args:
        line: The line.
        columns: Its columns.
        width: The number of columns of the file.
        tag: The index of the column that has the tags.
    """
    if not line.startswith(("# ", "#\t", "#begin document", "#end document")):
        return False
    return len(columns) != width or not (columns[tag] == "O" or columns[tag][1:2] == "-")


def suffix_of(path: Path) -> str:
    """Return the suffix of the name of a file in lower case, without ``.gz``: ``.txt``; empty if it has none."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def is_json(path: Path) -> bool:
    """Return whether the name of a file says that it holds JSON lines."""
    return suffix_of(path) in (".jsonl", ".ndjson", ".json")


def read_json(path: Path, *, fix: str, error: type[HarnessError] = DataFormatError) -> Any:
    """Return the value in a JSON file.

    Args:
        path: A UTF-8 file that is one JSON value, plain or compressed by gzip.
        fix: What the user should do if the file is not valid; it ends the error message.
        error: The kind of error to raise. With another kind than the default, the file is one that the program wrote;
            then ``fix`` also replaces the advice for files that were given to it.

    Raises:
        DataFormatError: Or the kind given as ``error``. The file cannot be read, is empty, is not JSON, or has over
            128 MiB; the message names the line.
    """
    lines, size = [], 0
    try:
        for number, line in numbered_lines(path):
            lines.append(line)
            size += len(line) + 1
            if size > LONGEST:
                raise error(f"{path}:{number}: the file has over {LONGEST:,} characters; {fix}")
    except DataFormatError as problem:
        if error is not DataFormatError and isinstance(problem, NotTextError):
            raise error(f"{problem.what}; {fix}") from None
        raise error(str(problem)) from None
    if not any(line and not line.isspace() for line in lines):
        raise error(f"{path}: is empty; {fix}")
    try:
        return json_value("\n".join(lines))
    except json.JSONDecodeError as problem:
        raise error(f"{path}:{problem.lineno}: not JSON ({problem.msg}); {fix}") from None


def json_value(text: str) -> Any:
    r"""Return the value that JSON text holds.

    Raises:
        json.JSONDecodeError: The text is not JSON, is nested too deeply, has a number of hundreds of digits, has two
            values for one key, of which one would be lost, or has half of a character that needs two escapes
            (``\ud83d``), which could be read but never be written again.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", text, 0) from None
    except ValueError as error:
        raise json.JSONDecodeError(str(error), text, 0) from None
    if "\\ud" in text or "\\uD" in text:
        for escape in _ESCAPE.finditer(text):
            if escape["lone"]:
                raise json.JSONDecodeError(f"half a character, {escape[0]}", text, escape.start())
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, whose keys must be different."""
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f"an object has two values for {twice!r:.100}")
    return value


def _integer(digits: str) -> int:
    """Return a whole number, which must be one that a float can hold, too."""
    if len(digits) > _DIGITS:
        raise ValueError("a number has hundreds of digits")
    return int(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer)


def _hint(path: Path) -> str:
    """Return the nearest name in the folder of a missing file, as a question; empty if there is none."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:  # no such folder, or not readable
        names = []
    match = get_close_matches(path.name, names, n=1)
    return f"; did you mean '{match[0]}'?" if match else ""
