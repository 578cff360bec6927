"""How a task reads its splits: each split only once, from a published file or from a local one."""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import TypeVar

from harness.config.schema import DataConfig
from harness.errors import ConfigError
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


def tagged_examples(tagged: Iterable[tuple[Sentence, tuple[str, ...]]], prefix: str) -> list[Example]:
    """Return one example per sentence; its target is the labels of its tokens.

    Args:
        tagged: The tokens and the labels of each sentence.
        prefix: The start of the ids.
    """
    return [
        Example(id=f"{prefix}-{i}", texts={"tokens": words}, target=labels) for i, (words, labels) in enumerate(tagged)
    ]


def split_file(data: DataConfig, split: Split, *, official: str) -> Path:
    """Return the file of a split: the local file for ``data=files``, else the downloaded published file.

    Args:
        data: The data that the task reads. The sample data have no files.
        split: The name of the split.
        official: The name of the published data set in ``tasks/common/official_data_sets.py``.

    Raises:
        ConfigError: The split has no local file, or no published one, or ``data.columns`` is given.
        DownloadError: The published file cannot be downloaded.
        DataFormatError: The published file cannot be unpacked.
    """
    if data.columns is not None:
        raise ConfigError(f"data.columns={list(data.columns)}: the files of this task have fixed columns; leave it out")
    if data.source == "official":
        return official_file(official, split, cache_dir=data.cache_dir)
    return data.path(split)
