"""Errors by cause. Each message is one line: what is wrong, where, and the fix."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class HarnessError(Exception):
    """Base of every error that the harness reports in one line.

    Attributes:
        exit_status: The exit status of a command that this error ends: 2 if the request was wrong, else 1.
        recorded: Whether the error is already in the run's ``record.json``.
    """

    exit_status: ClassVar[int] = 1
    recorded: bool = False


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


def one_line(error: OSError) -> str:
    """Return what the operating system refused, and for which file."""
    return f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())


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
