"""What a plug-in may offer: one that has the members of such a protocol gets what the protocol describes.

Two more are next to the code that needs them: ``Restorable`` in ``harness/runs/model_file.py``, for tasks that can
label new text, and ``Coding`` in ``harness/training/code_length.py``, for heads that give each label a probability.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from harness.types import Example, Prediction


@runtime_checkable
class Rounding(Protocol):
    """An encoder that reports the precision of its matrix products; both values go into the record.

    Attributes:
        dtype: The type of the products, ``float32`` or ``bfloat16``.
        rounding_error: The relative error of the vectors of a fixed text that this type causes; 0 for float32.
    """

    dtype: str
    rounding_error: float


@runtime_checkable
class Sized(Protocol):
    """An encoder that reports its size, which goes into the record.

    Attributes:
        num_parameters: The number of its weights.
    """

    num_parameters: int


@runtime_checkable
class Documented(Protocol):
    """An encoder with a model card; the record names the card.

    Attributes:
        model_card: The title of the card, or where it is; empty if there is none. It determines no vector.
    """

    model_card: str


@runtime_checkable
class Linked(Protocol):
    """A tracker with a page for the run; the record names it, and the report links to it.

    Attributes:
        url: The address of the page; empty if there is none, as for an offline run.
    """

    url: str


@runtime_checkable
class Penalised(Protocol):
    """A mix that adds a term to the training loss."""

    def penalty(self) -> Tensor:
        """Return a scalar with gradient that is added to the loss of every training batch."""


@runtime_checkable
class Selective(Protocol):
    """A mix that uses only some layers: only these are read from the store and passed to it.

    Attributes:
        layers_used: The numbers of the layers, counted from 0 and in ascending order.
    """

    layers_used: Sequence[int]


@runtime_checkable
class Inspectable(Protocol):
    """A mix whose weights are recorded after every epoch."""

    def layer_weights(self) -> list[float]:
        """Return the weight of each layer of the encoder; the weights sum to one."""

    def scale(self) -> float:
        """Return gamma, the factor on the weighted sum."""


@runtime_checkable
class Decomposable(Protocol):
    """A task whose primary metric is the ratio of two sums over examples, as an accuracy or an F1 is.

    The counts of a run are recorded in ``counts.json``. From them, ``report`` and ``compare`` compute the score on
    other examples, without the task. A task without counts has no tests over examples, only those over seeds.
    """

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Return what each example adds to the two sums.

        Args:
            gold: Examples with their targets.
            predictions: One prediction per example, in the same order.

        Returns:
            float64 (examples, 2): for the numerator and for the denominator. The score is 0 if the latter is 0.
        """


@runtime_checkable
class OwnColumns(Protocol):
    """A task that knows in which columns its files have the words; for other tasks, ``predict`` reads the first column.

    Attributes:
        own_columns: Whether ``predict`` gives column files (``.conll``, ``.bio``) to the task's own reader.
    """

    own_columns: bool


@runtime_checkable
class OwnObjects(Protocol):
    """A task that knows its own JSON lines; for others, ``predict`` reads ``text`` or ``tokens`` if they are there."""

    def is_own(self, values: Mapping[str, Any]) -> bool:
        """Return whether a file belongs to the task's own reader.

        Args:
            values: The first object of the file.
        """


@runtime_checkable
class SplitsText(Protocol):
    """A task whose texts are documents: new text is split into sentences before a trained head labels it."""

    def with_sentences(self, example: Example) -> Example:
        """Return an example whose texts are ``Document``s of the same tokens.

        Args:
            example: The example. Its ``origin`` has a ``TokenizedText`` for each of its texts.
        """


@runtime_checkable
class SampleWriter(Protocol):
    """A task that can write its sample data as files, for people to read and as a model for their own data."""

    def write_sample(self, folder: Path) -> list[Path]:
        """Write the splits of the sample data into a folder in the published format; return the paths of the files."""
