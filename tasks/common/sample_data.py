"""Shared parts of the generators of sample data: random choices, and writing the files of the splits.

All random choices use ``random.Random.random()``, the only method that gives the same numbers in every Python version.
"""

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import ConfigError, nearest, one_line
from harness.types import SPLITS

T = TypeVar("T")


def check_split(split: str, splits: Collection[str]) -> None:
    """Check the name of a split.

    Args:
        split: The name to check.
        splits: The names of the existing splits.

    Raises:
        ConfigError: There is no such split.
    """
    if split not in splits:
        raise ConfigError(f"no split '{split}' in the sample data{nearest(split, splits)}")


def choose(items: Sequence[T], rng: random.Random) -> T:
    """Return one of the items, each with the same probability.

    Args:
        items: The items to choose from; at least one.
        rng: The source of random numbers.
    """
    return items[int(rng.random() * len(items))]


def some(items: Sequence[T], number: int, rng: random.Random) -> list[T]:
    """Return some of the items, in random order.

    Args:
        items: The items to choose from.
        number: The number of items to return. No position is chosen twice.
        rng: The source of random numbers.
    """
    return sorted(items, key=lambda _: rng.random())[:number]


def deck(items: Sequence[T], rng: random.Random) -> Iterator[T]:
    """Yield items in random order without end; each item comes once before any item comes again.

    Args:
        items: The items to yield; at least one.
        rng: The source of random numbers.
    """
    while True:
        yield from some(items, len(items), rng)


def write_sample_files(
    folder: Path, *, suffix: str, text: Callable[[Any], str], names: Sequence[str] = SPLITS
) -> list[Path]:
    """Write each split of the sample data as a file; serves as the body of ``Task.write_sample``.

    Args:
        folder: The folder to write to; it is created if it does not exist.
        suffix: The suffix of the file names, such as ``.conll``.
        text: Return the content of the file of a split, in the published format of the data set.
        names: The names of the files without their suffix, for which ``text`` is called: the splits, or others.

    Returns:
        The paths of the written files, such as ``train.conll``, in the order of their names.

    Raises:
        ConfigError: The folder cannot be written to.
    """
    paths = [folder / f"{name}{suffix}" for name in names]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in zip(names, paths, strict=True):
            path.write_text(text(name), encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(
            f"cannot write to {folder} ({one_line(error)}); name a folder that you may write to"
        ) from None
    return paths
