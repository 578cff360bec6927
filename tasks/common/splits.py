"""How a task reads its splits: each split once, from a published file or a local one, into examples."""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from harness.config.schema import DataConfig
from harness.types import Example, Sentence, Split
from tasks.common.official import official_file

Task = TypeVar("Task")
Read = Callable[[Task, Split], Sequence[Example]]


def read_once(examples: Read[Task]) -> Read[Task]:
    """Decorate ``Task.examples``, so that each task object reads a split only once.

    Args:
        examples: The method that reads a split. It takes the task and the name of the split.

    Returns:
        The same method; its later calls return what the first call returned.
    """

    @wraps(examples)
    def cached(task: Task, split: Split) -> Sequence[Example]:
        splits: dict[Split, Sequence[Example]] = vars(task).setdefault("_examples_by_split", {})
        if split not in splits:
            splits[split] = examples(task, split)
        return splits[split]

    return cached


def split_file(data: DataConfig, split: Split, *, official: str) -> Path:
    """Return the file of a split: the local file for ``data=files``, else the downloaded published file.

    Args:
        data: The data that the task reads; not the sample data, which is in no file.
        split: The name of the split.
        official: The name of the published data set in ``tasks/common/published.py``.

    Raises:
        ConfigError: The split has no local file, or no published one.
        DownloadError: The published file cannot be downloaded.
    """
    if data.source == "official":
        return official_file(official, split, cache_dir=data.cache_dir)
    return data.path(split)


def sentence_examples(labelled: Iterable[tuple[Sentence, Any]], split: Split) -> tuple[Example, ...]:
    """Return one example for each labelled sentence, with the text field ``tokens``.

    Args:
        labelled: The tokens of each sentence, and its target.
        split: The name of the split, with which the ids begin: ``train-0``, ``train-1``, ...
    """
    return tuple(
        Example(id=f"{split}-{i}", texts={"tokens": tokens}, target=target)
        for i, (tokens, target) in enumerate(labelled)
    )
