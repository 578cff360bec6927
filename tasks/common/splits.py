"""How a task reads its splits: each only once, from a published file, a local one, or a part of the training file."""

import logging
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TypeVar, cast

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.types import Example, Sentence, Split
from tasks.common.control import WithControl, control_examples
from tasks.common.official import official_file
from tasks.common.sample_data import some

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Read = Callable[[Task, Split], Sequence[Example]]

CUTS = ("dev_fraction", "test_fraction")  # the options that cut splits from the training file
_CUT_SEED = 1  # the same parts in every run, so that runs with several seeds are comparable
_NOT_TAKEN = {
    "columns": "the files of this task have fixed columns, or options of the task name them",
    "tokenize": "this task reads tokens, or splits its text by itself",
    "dev_fraction": "this task needs the file data.dev",
    "test_fraction": "this task needs the file data.test",
}


def read_once(examples: Read[Task]) -> Read[Task]:
    """Decorate ``Task.examples``, so that each task object reads a split only once.

    ``data.dev_fraction`` and ``data.test_fraction`` cut splits from the training file. A task that is a ``WithControl``
    gets the labels of its control task if its option ``control`` is set.

    Args:
        examples: The method that reads a split. It takes the task and the name of the split.

    Returns:
        The same method; its later calls return what the first call returned.
    """

    @wraps(examples)
    def cached(task: Task, split: Split) -> Sequence[Example]:
        if getattr(task, "control", None) is None:
            return read(task, split)
        splits: dict[Split, Sequence[Example]] = vars(task).setdefault("_control_examples_by_split", {})
        if split not in splits:
            splits[split] = control_examples(cast(WithControl, task), read(task, split), read(task, "train"))
        return splits[split]

    def read(task: Task, split: Split) -> Sequence[Example]:
        splits: dict[Split, Sequence[Example]] = vars(task).setdefault("_examples_by_split", {})
        cuts = _cuts(getattr(task, "data", None))
        if split not in splits and cuts and split in ("train", *cuts):
            splits |= cut_examples(examples(task, "train"), cuts)
        elif split not in splits:
            splits[split] = examples(task, split)
        return splits[split]

    return cached


def _cuts(data: DataConfig | None) -> dict[Split, float]:
    """Return the part of the training file that becomes each of the other splits."""
    fractions: dict[Split, float | None] = {}
    if data is not None:
        fractions = {"dev": data.dev_fraction, "test": data.test_fraction}
    return {split: fraction for split, fraction in fractions.items() if fraction is not None}


def cut_examples(examples: Sequence[Example], cuts: Mapping[Split, float]) -> dict[Split, Sequence[Example]]:
    """Divide the examples of a training file at random, the same way in every run.

    Examples with the same texts stay together, so that no dev or test text is also a training text.

    Args:
        examples: All examples of the file.
        cuts: The part of the different texts that each other split receives.

    Returns:
        The examples of each split and of what remains, ``train``, in file order.

    Raises:
        ConfigError: Nothing remains for training.
    """
    texts = list(dict.fromkeys(tuple(example.texts.values()) for example in examples))
    shuffled = some(texts, len(texts), random.Random(_CUT_SEED))
    split_of: dict[tuple[Sentence, ...], Split] = {}
    for split, fraction in cuts.items():
        number = max(1, round(fraction * len(texts)))
        split_of |= dict.fromkeys(shuffled[len(split_of) : len(split_of) + number], split)
    if len(split_of) == len(texts):
        options = " ".join(f"data.{split}_fraction={fraction:g}" for split, fraction in cuts.items())
        raise ConfigError(f"{options}: nothing remains of {len(texts)} different training texts; cut smaller parts")
    parts: dict[Split, list[Example]] = {"train": [], **{split: [] for split in cuts}}
    for example in examples:
        parts[split_of.get(tuple(example.texts.values()), "train")].append(example)
    sizes = ", ".join(f"{len(part):,} {split}" for split, part in parts.items())
    log.info("%s examples of the training file are divided: %s", f"{len(examples):,}", sizes)
    return dict(parts)


def check_options(data: DataConfig, taken: Collection[str] = ()) -> None:
    """Refuse options of the group ``data`` that a task does not use, because they would have no effect.

    Args:
        data: The data that the task reads.
        taken: Those of ``columns``, ``tokenize``, ``dev_fraction`` and ``test_fraction`` that the task uses.

    Raises:
        ConfigError: Another one of them is given.
    """
    for option, reason in _NOT_TAKEN.items():
        value = getattr(data, option)
        if value is not None and option not in taken:
            shown = list(value) if isinstance(value, tuple) else value
            raise ConfigError(f"data.{option}={shown}: {reason}; leave it out")


def tagged_examples(tagged: Iterable[tuple[Sentence, tuple[str, ...] | None]], prefix: str) -> list[Example]:
    """Return one example per sentence; its target is the labels of its tokens.

    Args:
        tagged: The tokens of each sentence, and their labels; None if it has no labels.
        prefix: The start of the ids.
    """
    return [
        Example(id=f"{prefix}-{i}", texts={"tokens": words}, target=labels) for i, (words, labels) in enumerate(tagged)
    ]


def split_file(data: DataConfig, split: Split, *, official: str, taken: Collection[str] = ()) -> Path:
    """Return the file of a split: the local file for ``data=files``, else the downloaded published file.

    Args:
        data: The data that the task reads. The sample data have no files.
        split: The name of the split.
        official: The name of the published data set in ``tasks/common/official_data_sets.py``.
        taken: The options that the task uses; see ``check_options``.

    Raises:
        ConfigError: The split has no local file, or no published one, or an option is given that the task does not use.
        DownloadError: The published file cannot be downloaded.
        DataFormatError: The published file cannot be unpacked.
    """
    check_options(data, taken)
    if data.source == "official":
        return official_file(official, split, cache_dir=data.cache_dir)
    return data.path(split)
