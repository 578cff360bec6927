"""What a plug-in must offer. Nothing here is inherited: any class with these members is accepted.

Encoders, mixes, tasks and trackers are named by ``_target_`` in a YAML file and built from it: by a class with these
members, or by a function that is annotated to return one. A task builds its own heads. What a plug-in may offer beyond
this is in ``harness/optional_protocols.py``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from harness.types import Batch, Example, Metrics, Prediction, Sentence, Split, TokenVectors


class Encoder(Protocol):
    """A frozen text encoder: it takes words and returns layers of vectors.

    The vectors of a sentence must depend on nothing but the sentence and on what ``fingerprint`` covers, because the
    feature store computes them once and reuses them in every run; only an encoder that is not ``cacheable`` may differ.

    It is built from ``conf/encoder/NAME.yaml``. If its constructor takes ``device``, the engine supplies the torch
    device.
    """

    @property
    def name(self) -> str:
        """A short name for tables and folder names, such as ``elmo_mini``."""

    @property
    def fingerprint(self) -> str:
        """A hexadecimal digest over everything that determines the vectors: weights, options, state policy, precision.

        Two encoders with the same fingerprint share their stored features. For an encoder from outside the harness,
        the engine adds its other members, the name of its class, and a digest of the source files of its class and of
        the function that makes it, so that an edit there gives new features. Code that these import from elsewhere is
        not covered: change the fingerprint when such code changes the vectors.
        """

    @property
    def state(self) -> str:
        """How the initial state of a sentence is chosen: ``zeros``, ``warm``, ``carry``; ``none`` without a state."""

    @property
    def num_layers(self) -> int:
        """The number of layers returned for each token, at least 1; layer 0 is the lowest."""

    @property
    def dim(self) -> int:
        """The width of each layer; all layers have the same width."""

    @property
    def word_layer(self) -> bool:
        """True if layer 0 of a token depends on the word alone, so that the store may keep it once per word type."""

    @property
    def cacheable(self) -> bool:
        """False if the vectors of a sentence depend on what was encoded before it; such vectors are never stored."""

    def encode(self, sentences: Sequence[Sentence]) -> Iterator[tuple[int, Tensor]]:
        """Encode sentences and yield the layers of each exactly once.

        The encoder forms its own batches and may yield in any order. It computes without gradients and on its own
        device.

        Args:
            sentences: Tokenised sentences, all different when the feature store calls. A sentence may be empty.

        Yields:
            ``(index, layers)``: the position of the sentence in ``sentences``, and its vectors, float32
            (layers, tokens, dim) on the CPU, without boundary tokens. The vectors must be finite.
        """


class LayerMix(Protocol):
    """An ``nn.Module`` that reduces the layers to one vector per token.

    It is built once for each placement, with ``num_layers`` and ``dim`` of the encoder as keyword arguments. Its own
    options cannot be called ``name``, ``placement`` or ``dropout``, which are those of the engine.

    Attributes:
        output_dim: The width of the mixed vectors.
    """

    output_dim: int

    def __call__(self, layers: Tensor, mask: Tensor) -> Tensor:
        """Mix the layers of a batch.

        Args:
            layers: float32 (batch, layers, tokens, dim) on the device of the module, zero at padded positions. A
                ``Selective`` mix receives only the layers that it uses.
            mask: bool (batch, tokens), True where there is a token.

        Returns:
            float32 (batch, tokens, output_dim); values at padded positions are ignored.
        """


class Head(Protocol):
    """An ``nn.Module`` that is trained on the token vectors.

    Its parameters are trained, saved and averaged by the trainer. It draws random numbers (dropout) only from torch's
    default generator, so that a run can be repeated and resumed exactly.
    """

    def loss(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> Tensor:
        """Return the training loss of a batch that has gold targets.

        Args:
            vectors: For each text field of the batch, its token vectors, on the device of the head.
            batch: The examples, with masks, inputs and gold tensors on the same device.

        Returns:
            A scalar. Most heads average over the batch; the CRF sums over it, as AllenNLP does.
        """

    def predict(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> list[Prediction]:
        """Return one prediction per example, in the order of the batch.

        The module is in evaluation mode and gradients are off. ``batch.gold`` may be empty.

        Args:
            vectors: For each text field of the batch, its token vectors, on the device of the head.
            batch: The examples, with masks and inputs on the same device.
        """


@runtime_checkable
class Fitted(Protocol):
    """A head without a ``loss``, which learns without gradients, by one pass over the training data.

    It has ``predict`` as other heads, and no trained parameters. What it learns is in buffers whose sizes are known
    when it is built, so that they are saved and loaded as weights are. The mix must have nothing to learn either.
    """

    def observe(self, vectors: Mapping[str, TokenVectors], batch: Batch) -> None:
        """Learn from a batch; each example is observed once, always in the same order.

        Args:
            vectors: As for ``Head.predict``.
            batch: As for ``Head.predict``, with gold tensors.
        """


class Task(Protocol):
    """A labelled data set, the heads that can be trained on it, and its official metric.

    Attributes:
        name: The task's name in tables and folders.
        version: Raised whenever the same config gives a different result; it is part of a run's identity.
    """

    name: ClassVar[str]
    version: ClassVar[int]

    @property
    def primary_metric(self) -> str:
        """The metric that selects the best epoch on dev; higher is better. A class variable serves too."""

    @property
    def data_name(self) -> str:
        """What tables call the data set."""

    def examples(self, split: Split) -> Sequence[Example]:
        """Return the examples of a split in the order of the file.

        Raises:
            DataFormatError: A file is missing or not in its format; the message names the file and the line.
        """

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Return the examples as one padded batch on the CPU.

        ``Batch.gold`` stays empty if an example has no target, so that a trained head can label new text.
        """

    def build_head(self, *, input_dim: int, output_dim: int) -> Head | Fitted:
        """Return an untrained head; the initial values of its parameters come from torch's default generator.

        Args:
            input_dim: The width of ``TokenVectors.input``.
            output_dim: The width of ``TokenVectors.output``; 0 if there is no mix at the output.
        """

    def score(self, gold: Sequence[Example], predictions: Sequence[Prediction]) -> Metrics:
        """Return the task's official metrics.

        Args:
            gold: Examples with their targets.
            predictions: One prediction per example, in the same order.

        Returns:
            Fractions between 0 and 1 by name, ``primary_metric`` among them; scores of one class as ``CLASS/f1``.
        """


class Tracker(Protocol):
    """Receives a copy of a run's progress. A tracker never makes a run fail: it logs its own errors instead.

    It is built with ``run_name``, ``run_group``, ``run_tags``, ``job_type`` and ``config`` as keyword arguments.
    """

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Record scalars at the end of an epoch.

        Args:
            values: Scalars by name, such as ``dev/f1``.
            step: The epoch, counted from 1.
        """

    def finish(self, record: Mapping[str, Any], files: Mapping[str, str]) -> None:
        """Receive the finished record and close. The record is on disk already.

        Args:
            record: The fields of ``RunRecord`` as plain values.
            files: The files of the run: name -> path.
        """

    def finish_with_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Receive a table instead of a record, and close.

        Args:
            name: The name of the table.
            columns: The headings.
            rows: The cells of each row, one per column.
        """
