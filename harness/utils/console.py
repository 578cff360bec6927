"""What a person sees in the terminal while a command runs: log lines, progress bars, readable sizes and times."""

import argparse
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn, TypeVar

from harness.errors import HarnessError, described, escaped, one_line
from harness.utils.signals import Interrupted

T = TypeVar("T")

_LONGEST = 200  # characters of one value in an error line
_LONG = re.compile(rf"(?<!\w)'[^']{{{_LONGEST},}}'(?!\w)|\S{{{_LONGEST + 1},}}")  # in quotes, or without a space


_bars = True  # whether progress bars are shown on a terminal


def configure_logging(job: str = "") -> None:
    """Send log messages of level INFO and above to stderr, one line each; calling it again changes nothing.

    Args:
        job: The name of the job that this process runs beside others: it begins each line, and no bar is shown.
    """
    global _bars
    _bars = not job
    form = f"%(asctime)s {job and f'[{job}] '.replace('%', '%%')}%(message)s"
    logging.basicConfig(level=logging.INFO, format=form, datefmt="%H:%M:%S", force=True)
    for noisy in ("wandb", "urllib3", "filelock", "datasets", "fsspec", "hydra_plugins.hydra_joblib_launcher"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def exit_status_of(command: Callable[[], None]) -> int:
    """Run a command, which prints its own output, and return its exit status; print an expected error on stderr.

    Returns:
        0 after success, ``error.exit_status`` after a ``HarnessError``, 1 after any other error.

    Raises:
        BrokenPipeError: The program that reads the output has ended.
        Interrupted: The command was asked to stop.
    """
    try:
        command()
    except HarnessError as error:
        print_error(str(error))
        return error.exit_status
    except (BrokenPipeError, Interrupted):
        raise
    except OSError as error:
        print_error(one_line(error))
        return 1
    except Exception as error:
        logging.getLogger(__name__).exception("unexpected")
        print_error(described(error))
        return 1
    return 0


def bad_request(message: str, *, exit_status: int = 2) -> NoReturn:
    """Print what is wrong with the request, and exit.

    Args:
        message: The error in one line.
        exit_status: The exit status of the process.
    """
    print_error(message)
    sys.exit(exit_status)


class CommandParser(argparse.ArgumentParser):
    """Reads the arguments of a command; reports a wrong one in one line and not with the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        bad_request(f"{message} ({self.prog} --help lists all arguments)")

    def parse_with_overrides(self, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """Return the command's own arguments, and the words that compose a config: overrides and ``--config-dir``."""
        meaning = "also read config groups from DIR, a folder like conf/"
        self.add_argument("--config-dir", "-cd", action="append", default=[], metavar="DIR", help=meaning)
        chosen, words = self.parse_known_args(arguments)
        return chosen, [*(f"--config-dir={folder}" for folder in chosen.config_dir), *words]


def print_error(message: str) -> None:
    """Print an error on stderr as one line that a terminal can show."""
    print(f"error: {printable(message)}", file=sys.stderr)  # noqa: T201


def printable(message: str) -> str:
    """Return a message as one line: control characters are escaped, and the middle of a very long value is left out.

    A message quotes files and arguments, which may contain anything.
    """
    return _LONG.sub(lambda match: _cut(match[0]), escaped(message))


def _cut(value: str) -> str:
    half = _LONGEST // 2
    return f"{value[:half]}...{value[-half:]}"


def progress(items: Iterable[T], what: str, *, total: int | None = None) -> Iterator[T]:
    """Yield the items, with a progress bar if stderr is a terminal.

    Args:
        items: The items to iterate over.
        what: The label of the bar.
        total: The number of items; None if it is unknown.
    """
    if not (_bars and sys.stderr.isatty()):
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, total=total, console=Console(stderr=True), transient=True)


@contextmanager
def progress_of_bytes(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Show a progress bar for bytes if stderr is a terminal.

    Args:
        what: The label of the bar.
        total: The number of bytes expected; None if it is unknown.

    Yields:
        A function that takes the number of bytes done so far and updates the bar.
    """
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress

    columns = (*Progress.get_default_columns(), DownloadColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not (_bars and sys.stderr.isatty())
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def human_bytes(size: float) -> str:
    """Return a size in bytes with three digits and a unit: ``1.23 GB``."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def human_seconds(seconds: float) -> str:
    """Return a time in a readable unit: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
