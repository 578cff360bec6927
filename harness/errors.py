"""Errors by cause. Each message is one line: what is wrong, where, and the fix."""

import errno
import os
import sysconfig
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar


class HarnessError(Exception):
    """Base of every error that the harness reports in one line.

    Attributes:
        exit_status: The exit status of a command that this error ends: 2 if the request was wrong, else 1.
        recorded: Whether the error is already in the run's ``record.json``.
    """

    exit_status: ClassVar[int] = 1
    recorded: bool = False

    def __init__(self, message: str = "") -> None:
        super().__init__(_readable(message))


class ConfigError(HarnessError):
    """The request itself is wrong: an unknown key, a wrong type, or options that exclude each other."""

    exit_status = 2


class DataFormatError(HarnessError):
    """A data file is missing or not in its published format."""

    exit_status = 2


class WeightsError(HarnessError):
    """The options or weights of an encoder are missing, damaged or contradict each other."""

    exit_status = 2


class CacheError(HarnessError):
    """The feature store cannot be written, or its contents are damaged."""


class DownloadError(HarnessError):
    """A file cannot be downloaded, or differs from the one that was downloaded before."""


_LONGEST = 1000  # characters of a message


def escaped(text: str) -> str:
    """Return a text in one line: control characters, and what UTF-8 cannot hold, are replaced by their escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _readable(message: str) -> str:
    """Return a message as one line that a terminal can show.

    A message quotes values from files and command lines: control characters and what UTF-8 cannot hold are escaped,
    and of a very long message, its start (the place) and its end (the fix) are kept.
    """
    message = escaped(message)
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST * 6 // 10]} [...] {message[-_LONGEST * 3 // 10 :]}"
    return message


_ELSEWHERE = "choose a folder in which you may write (results_dir=DIR, cache_dir=DIR, or out=DIR)"
_SPACE = "free some space there, or choose another folder (results_dir=DIR, cache_dir=DIR, or out=DIR)"
WRITE_FIXES = {  # what to do when the operating system refuses to write a file, by the number of its error
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _SPACE),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _ELSEWHERE),
}


def one_line(error: OSError) -> str:
    """Return what the operating system refused, for which file, and what to do about it if that is known."""
    if not error.filename:
        return " ".join(str(error).split())
    fix = WRITE_FIXES.get(error.errno or 0)
    return f"{error.filename}: {error.strerror}{f'; {fix}' if fix else ''}"


def described(error: BaseException) -> str:
    """Return an unexpected error in one line; if it comes from a plug-in, with the place in the code of the plug-in."""
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    folders = (Path(__file__).parent, sysconfig.get_path("stdlib"))
    not_own = ("<", *(f"{folder}{os.sep}" for folder in folders))
    libraries = {"site-packages", "dist-packages"}
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith(not_own)]
    frames = [one for one in frames if libraries.isdisjoint(Path(one.filename).parts)]
    return f"{message}, at {frames[-1].filename}:{frames[-1].lineno}, in {frames[-1].name}" if frames else message


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or the list of choices if none is similar.

    Args:
        name: The name that was asked for.
        choices: The names that exist.
    """
    known = sorted(choices)
    match = get_close_matches(name, known, n=1)
    if match:
        return f"; did you mean '{match[0]}'?"
    return f"; choose one of: {', '.join(known)}" if known else ""
