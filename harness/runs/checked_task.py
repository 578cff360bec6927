"""Checks of a task and its examples at the start of a run, because the task may be a plug-in."""

from collections.abc import Sequence

from harness.errors import ConfigError, DataFormatError
from harness.protocols import Task
from harness.types import Example, Split
from harness.utils.files import as_file_name


def checked_task(task: Task | None) -> Task:
    """Return the task.

    Raises:
        ConfigError: There is none, or one of its names is not a str, or its own name cannot be that of a folder.
    """
    if task is None:
        raise ConfigError("task is none, so there is nothing to train; choose a task with task=NAME")
    kind = type(task).__name__
    for member in ("name", "data_name", "primary_metric"):
        if not isinstance(getattr(task, member), str):
            raise ConfigError(f"{kind}.{member} is {getattr(task, member)!r}; expected a str")
    if task.name != as_file_name(task.name) or not task.name.strip("."):
        raise ConfigError(f"{kind}.name is '{task.name}'; expected letters, digits and _ + - . for a folder's name")
    return task


def checked_examples(task: Task, split: Split) -> Sequence[Example]:
    """Return the examples of a split.

    Args:
        task: The task, which reads its data.
        split: ``train``, ``dev`` or ``test``.

    Raises:
        ConfigError: They are not a sequence of examples with texts.
        DataFormatError: There are none, or the task cannot read its data.
    """
    found = task.examples(split)
    what = f"{type(task).__name__}.examples('{split}')"
    is_sequence = hasattr(found, "__len__") and hasattr(found, "__getitem__")
    examples = list(found) if is_sequence else []  # the index of a pandas Series may be no position
    if not is_sequence or not all(isinstance(one, Example) and one.texts for one in examples):
        raise ConfigError(f"{what} is no list of harness.types.Example, each with its texts")
    if not examples:
        raise DataFormatError(f"{what} is empty; give data with an example in each split")
    return examples
