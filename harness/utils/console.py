"""What a person sees in the terminal while a command runs: log lines, progress bars, readable sizes and times."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from harness.errors import HarnessError, one_line

T = TypeVar("T")


def configure_logging() -> None:
    """Send log messages of level INFO and above to stderr, one line each; calling it again changes nothing."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True)
    for noisy in ("wandb", "urllib3", "filelock", "datasets", "fsspec"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def exit_status_of(command: Callable[[], None]) -> int:
    """Run a command, which prints its own output, and return its exit status; print an expected error on stderr.

    Returns:
        0 after success, ``error.exit_status`` after a ``HarnessError``, 1 after an ``OSError``.
    """
    try:
        command()
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_status
    except OSError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def progress(items: Iterable[T], what: str, *, total: int | None = None) -> Iterator[T]:
    """Yield the items, with a progress bar if stderr is a terminal.

    Args:
        items: The items to iterate over.
        what: The label of the bar.
        total: The number of items; None if it is unknown.
    """
    if not sys.stderr.isatty():
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
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
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
