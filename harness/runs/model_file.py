"""``model.safetensors`` of a run: the trained weights, and what else is needed to label new text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from harness.config.instantiate import typed_as
from harness.errors import DataFormatError
from harness.protocols import Task
from harness.training.model import Model
from harness.types import Example, Prediction
from harness.utils.files import file_digest, write_tensors

MODEL = "model.safetensors"
OLD_MODEL = "head.safetensors"  # what older versions wrote: the weights alone
_ENTRY = "model"  # of the file's metadata. One entry, because the order of several is not fixed, nor the digest then.


@runtime_checkable
class Restorable(Task, Protocol):
    """A task whose trained heads can label new text: they are built again without the data that they learned from.

    Attributes:
        learned: The names of the ``cached_property``s of the task that its heads read from the training data, such as
            ``labels``. Each is a tuple of strings. A run saves them, and ``predict`` puts them back in their places.
            Nothing else of the data may be needed by ``collate``, ``build_head`` and ``answer``.
    """

    learned: ClassVar[tuple[str, ...]]

    @property
    def tokenizer(self) -> str:
        """The tokeniser of its raw text (``harness.utils.tokenizers``); ``whitespace`` if its data are tokens."""

    def read(self, path: Path, *, prefix: str, labelled: bool = True) -> Sequence[Example]:
        """Return the examples of a file in the task's own format.

        Args:
            path: The file.
            prefix: The start of the ids of examples without an id of their own.
            labelled: Whether each example needs a target. If not, a file without targets may be accepted too.

        Raises:
            DataFormatError: The file is missing or not in this format; the message names the line.
        """

    def answer(self, example: Example, prediction: Prediction) -> Mapping[str, Any]:
        """Return what is written for an example in addition to its id and texts, as JSON values by name.

        Args:
            example: The example. Its ``origin`` has a ``TokenizedText`` for each of its texts.
            prediction: What the head predicts. ``value`` is None if a text has no tokens; heads never get such a text.
        """


@dataclass(frozen=True, kw_only=True)
class LearnedValues:
    """What a model has from the data in addition to its weights.

    Attributes:
        learned: The values that ``Restorable.learned`` names, such as the labels.
        texts: The names of the texts of an example.
        vocabulary: The words whose static vectors were trained.
    """

    learned: dict[str, list[str]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    vocabulary: list[str] = field(default_factory=list)


def write_model(path: Path, *, task: Task, model: Model, texts: Sequence[str]) -> None:
    """Write a trained model.

    Args:
        path: The file to write or replace.
        task: The task of the model.
        model: The trained model.
        texts: The names of the texts of an example.
    """
    names = task.learned if isinstance(task, Restorable) else ()
    static = model.features.static
    values = LearnedValues(
        learned={name: list(getattr(task, name)) for name in names},
        texts=list(texts),
        vocabulary=static.trained_words if static is not None else [],
    )
    write_tensors(path, model.trained(), about={_ENTRY: json.dumps(asdict(values))})


def read_model(path: Path, *, digest: str) -> tuple[Mapping[str, Tensor], LearnedValues]:
    """Return the weights of a trained model, and what else it has from the data.

    Args:
        path: The file.
        digest: The SHA-256 of the file, from the record of the run.

    Raises:
        DataFormatError: The file is missing, damaged or of another run.
    """
    from safetensors import SafetensorError, safe_open

    again = "repeat the run with overwrite=true"
    if not path.is_file():
        old = path.with_name(OLD_MODEL).exists()
        why = "an older version of the harness wrote the weights alone" if old else "there is no such file"
        raise DataFormatError(f"{path}: {why}; {again}")
    found = file_digest(path)
    if found != digest:
        raise DataFormatError(
            f"{path}: its SHA-256 begins with {found[:12]}, and record.json says {digest[:12]}; {again}"
        )
    try:
        with safe_open(path, framework="pt") as file:
            values: Any = json.loads((file.metadata() or {})[_ENTRY])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except (SafetensorError, KeyError, ValueError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise DataFormatError(f"{path}: not the model of a run ({reason}); {again}") from None
    return weights, typed_as(LearnedValues, values)
