"""What the generators of sample data share: chance that is the same everywhere, and files of the splits.

All chance comes from ``random()``, which alone is promised to give the same numbers in every version of Python.
"""

import argparse
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from harness.errors import ConfigError, nearest, one_line
from harness.types import SPLITS, Split

T = TypeVar("T")


def check_split(split: str, splits: Collection[str]) -> None:
    """Check the name of a split.

    Raises:
        ConfigError: there is no such split.
    """
    if split not in splits:
        raise ConfigError(f"no split '{split}' in the sample data{nearest(split, splits)}")


def choose(items: Sequence[T], rng: random.Random) -> T:
    """Return one of the items, each as likely."""
    return items[int(rng.random() * len(items))]


def some(items: Sequence[T], number: int, rng: random.Random) -> list[T]:
    """Return different items in random order."""
    return sorted(items, key=lambda _: rng.random())[:number]


def deck(items: Sequence[T], rng: random.Random) -> Iterator[T]:
    """Deal items at random for ever, each once before any comes again, so that counts stay balanced."""
    while True:
        yield from some(items, len(items), rng)


def write_sample_files(folder: Path, *, suffix: str, text: Callable[[Split], str]) -> list[Path]:
    """Write each split of the sample data as a file; serves as the body of ``Task.write_sample``.

    Args:
        folder: The folder to write to; it is created if it does not exist.
        suffix: The suffix of the file names, such as ``.conll``.
        text: Return the content of the file of a split, in the published format of the data set.

    Returns:
        The paths of the written files, such as ``train.conll``, in the order of the splits.

    Raises:
        ConfigError: The folder cannot be written to.
    """
    paths = [folder / f"{split}{suffix}" for split in SPLITS]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for split, path in zip(SPLITS, paths, strict=True):
            path.write_text(text(split), encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(
            f"cannot write to {folder} ({one_line(error)}); name a folder that you may write to"
        ) from None
    return paths


def write_splits(
    arguments: Sequence[str] | None,
    *,
    what: str,
    suffix: str,
    splits: Mapping[str, int],
    unit: str,
    text: Callable[[str], str],
) -> None:
    """Run the command that writes sample data as files, to be read with one's own eyes.

    Args:
        arguments: of the command line: the folder.
        what: what is written, for the help.
        suffix: of the files' names.
        splits: how much there is of each split.
        unit: what that counts.
        text: the content of a split's file.
    """
    parser = argparse.ArgumentParser(description=f"Write {what}.")
    names = [f"{split}{suffix}" for split in splits]
    parser.add_argument("folder", type=Path, help=f"where to write {', '.join(names[:-1])} and {names[-1]}")
    folder = parser.parse_args(arguments).folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for (split, size), name in zip(splits.items(), names, strict=True):
            (folder / name).write_text(text(split), encoding="utf-8", newline="\n")
            print(f"{folder / name}: {size} {unit}")  # noqa: T201
    except OSError as error:
        parser.error(f"cannot write to {folder}: {error}; name a folder that you may write to")
