"""What a person sees while a run goes on: log lines, progress bars, sizes in words."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from harness.errors import HarnessError

T = TypeVar("T")
_UNITS = ("B", "KB", "MB", "GB", "TB")


def configure_logging() -> None:
    """Send INFO and above to stderr, one line each; idempotent."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True)
    for noisy in ("wandb", "urllib3", "filelock", "pooch", "datasets", "fsspec"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def exit_status_of(command: Callable[[], None]) -> int:
    """Run a command; say in one line what went wrong, and return its exit status."""
    try:
        command()
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_status
    except OSError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def progress(items: Iterable[T], what: str, *, total: int | None = None) -> Iterator[T]:
    """Iterate with a progress bar, silent where stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, what, total=total, console=Console(stderr=True), transient=True)


@contextmanager
def progress_of_bytes(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Show a progress bar on a terminal, and nothing elsewhere.

    Args:
        what: the bar's label.
        total: bytes to come in all, or None where that is unknown.

    Yields:
        A function that takes the number of bytes done so far.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def human_bytes(size: float) -> str:
    """Return a size in bytes with three digits and a unit: ``1.23 GB``."""
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError


def human_seconds(seconds: float) -> str:
    """Return a time in words: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
