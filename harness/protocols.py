"""What a plug-in must offer. Nothing here is inherited from: any class of this shape will do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from harness.types import Batch, Example, Metrics, Prediction, Sentence, Split, TokenVectors


class Encoder(Protocol):
    """A frozen text encoder: words in, layers of vectors out."""

    @property
    def name(self) -> str:
        """A short name for tables and folders."""

    @property
    def fingerprint(self) -> str:
        """A hex digest over everything that determines the vectors: weights, options, state policy."""

    @property
    def state(self) -> str:
        """How a sentence's initial state is chosen (``zeros``, ``warm``, ``carry``), or ``none``."""

    @property
    def num_layers(self) -> int:
        """Number of layers returned for each token."""

    @property
    def dim(self) -> int:
        """Width of each layer."""

    @property
    def word_layer(self) -> bool:
        """True where layer 0 depends on the word alone, so that a store may hold it once per type."""

    @property
    def cacheable(self) -> bool:
        """False where a sentence's vectors depend on what was encoded before it."""

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        """Yield ``(index, layers)`` once per sentence, in an order of the encoder's own.

        ``layers`` is float32 on the CPU, (layers, tokens, dim), without boundary tokens.
        """


@runtime_checkable
class Rounding(Protocol):
    """An encoder that says in which precision it multiplies."""

    dtype: str
    rounding_error: float  # relative, of its vectors of a fixed text; 0 for float32


class LayerMix(Protocol):
    """An ``nn.Module`` that reduces the layers to one vector a token."""

    output_dim: int

    def __call__(self, layers: Tensor, mask: Tensor) -> Tensor:
        """Map (batch, layers, tokens, dim) and bool (batch, tokens) to (batch, tokens, output_dim)."""


@runtime_checkable
class Penalised(Protocol):
    """A mix that adds a term to the training loss."""

    def penalty(self) -> Tensor:
        """Return a scalar that is added to the loss of every training batch."""


@runtime_checkable
class Selective(Protocol):
    """A mix that looks at some layers only: they alone are read, and given to it."""

    layers_used: Sequence[int]  # from the lowest, each from 0


@runtime_checkable
class Inspectable(Protocol):
    """A mix whose state is worth recording at every epoch."""

    def layer_weights(self) -> list[float]:
        """Return the weight of each layer, summing to one."""

    def scale(self) -> float:
        """Return gamma, the factor on the weighted sum."""


class Head(Protocol):
    """An ``nn.Module`` trained on top of the token vectors."""

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the scalar training loss of a batch with gold."""

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return one prediction a row, in row order."""


class Task(Protocol):
    """A labelled data set, a head and an official metric."""

    name: ClassVar[str]
    version: ClassVar[int]  # raised whenever the same config would give another result
    primary_metric: ClassVar[str]  # selects the best epoch on dev; higher is better

    @property
    def data_name(self) -> str:
        """What the data set is called in tables."""

    def examples(self, split: Split) -> Sequence[Example]:
        """Return a split, in file order."""

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Pad examples to a batch, on the CPU."""

    def build_head(self, *, input_dim: int, output_dim: int) -> Head:
        """Return an untrained head for token vectors of these widths (``output_dim`` 0: no output mix)."""

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Score predictions, aligned with ``gold``, by the task's official metric."""


@runtime_checkable
class Decomposable(Protocol):
    """A task whose primary metric depends on sums over examples alone: resampling them then costs a product."""

    def counts(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
        """Return what each example adds to the sums, float64 (examples, counts)."""

    def score_of_counts(self, sums: Tensor) -> Tensor:
        """Return the primary metric, a fraction, of sums over examples: (..., counts) to (...)."""


class Tracker(Protocol):
    """Where a copy of the run's progress goes. It can never fail a run."""

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Record scalars at an epoch."""

    def finish(self, record: Mapping[str, Any], files: Mapping[str, str]) -> None:
        """Hand over the finished record and the run's files (name -> path), and close."""

    def finish_with_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Hand over a table, where that is all there is to tell, and close."""
