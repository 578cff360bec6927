"""What can go wrong, by cause. Each message is one line: what, where, the fix."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class HarnessError(Exception):
    """Base of every error that the harness reports in one line.

    Attributes:
        exit_status: of the command, where this is what ended it: 2 if the request was wrong, else 1.
        recorded: whether the run's record on disk tells of it already.
    """

    exit_status: ClassVar[int] = 1
    recorded: bool = False


class ConfigError(HarnessError):
    """The request itself is wrong: an unknown key, a wrong type, options that exclude each other."""

    exit_status = 2


class DataFormatError(HarnessError):
    """A data file is missing or not in its published format."""

    exit_status = 2


class WeightsError(HarnessError):
    """An encoder's options or weights are missing, damaged or contradict each other."""

    exit_status = 2


class CacheError(HarnessError):
    """The feature store cannot be written, or what it holds is damaged."""


class DownloadError(HarnessError):
    """A file could not be fetched, or is not the one that was fetched before."""


def one_line(error: OSError) -> str:
    """Say what the system refused, and where."""
    return f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or the list of choices where none is near.

    Args:
        name: what was asked for.
        choices: what there is.
    """
    known = sorted(choices)
    match = get_close_matches(name, known, n=1)
    if match:
        return f"; did you mean '{match[0]}'?"
    return f"; choose one of: {', '.join(known)}" if known else ""
