"""Control tasks: labels that a probe can only remember word by word, because each word type draws its label at random.

A probe with a high accuracy on the task and a low one on its control task shows what the vectors hold. The difference
is its selectivity.

Source: Hewitt and Liang 2019 (arXiv 1909.03368), section 2.
"""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Protocol

from harness.types import Example


class RandomLabels:
    """Gives each type one label, drawn from the distribution of the labels in the training data.

    The label depends on the type, the seed and the distribution alone, so it is the same in every split and every run.

    Args:
        labels: All labels in the training data, with repetitions; at least one.
        seed: The seed of the draw.
    """

    def __init__(self, labels: Iterable[str], *, seed: int) -> None:
        counts = sorted(Counter(labels).items())
        self._labels, self._seed = [label for label, _ in counts], seed
        self._ends = list(accumulate(count for _, count in counts))

    def of(self, kind: str) -> str:
        """Return the label of a type."""
        digest = hashlib.blake2b(f"{self._seed}\0{kind}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        place = int.from_bytes(digest) * self._ends[-1] >> 64  # from 0 to the number of labels - 1
        return self._labels[bisect_right(self._ends, place)]


class WithControl(Protocol):
    """A task that has a control task; ``read_once`` gives its examples the labels of that task."""

    @property
    def control(self) -> int | None:
        """The seed of the control task; None for the task itself."""

    def labels_of(self, example: Example) -> Sequence[str]:
        """Return the labels of an example."""

    def kinds_of(self, example: Example) -> Sequence[str]:
        """Return what each label of an example is given to; equal ones have equal labels in the control task."""

    def with_labels(self, example: Example, labels: Sequence[str]) -> Example:
        """Return the example with other labels.

        Args:
            example: The example.
            labels: As many labels as it has.
        """


def control_examples(task: WithControl, examples: Sequence[Example], train: Sequence[Example]) -> list[Example]:
    """Return the examples of a split with the labels of the control task.

    Args:
        task: The task, whose ``control`` is not None.
        examples: The examples of the split.
        train: The training examples, which tell how often each label occurs.
    """
    assert task.control is not None
    drawn = RandomLabels((label for example in train for label in task.labels_of(example)), seed=task.control)
    return [task.with_labels(example, [drawn.of(kind) for kind in task.kinds_of(example)]) for example in examples]


def labels_of_tokens(example: Example) -> Sequence[str]:
    """Return the target of an example with one label per token; serves as ``WithControl.labels_of``."""
    labels: Sequence[str] = example.target
    return labels


def tokens_of(example: Example) -> Sequence[str]:
    """Return the tokens of an example; serves as ``WithControl.kinds_of``."""
    return example.texts["tokens"]


def with_token_labels(example: Example, labels: Sequence[str]) -> Example:
    """Return an example with another label per token; serves as ``WithControl.with_labels``.

    Args:
        example: The example.
        labels: One label per token.
    """
    return replace(example, target=tuple(labels))
