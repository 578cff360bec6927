"""The values that travel through the harness: all frozen, all plain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
Sentence = tuple[str, ...]  # the tokens of one text, as the encoder takes them


@dataclass(frozen=True, kw_only=True)
class Example:
    """One labelled instance of a task, already tokenised.

    Attributes:
        id: unique within its split; names the example in ``predictions.jsonl``.
        texts: field name -> tokens (``{"tokens": ...}``, ``{"premise": ..., "hypothesis": ...}``).
        target: the gold answer in the task's own form, JSON-serialisable; None on unlabelled text.
        origin: what the tokens were made from, where an answer has to be given in its terms (a passage and its
            tokens' character offsets); of the task's own type, never learnt from.
    """

    id: str
    texts: Mapping[str, Sentence]
    target: Any = None
    origin: Any = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Examples padded to common lengths.

    Attributes:
        examples: the examples, in row order.
        masks: field name -> bool (batch, tokens), True where there is a token.
        inputs: what a head reads beside the token vectors, e.g. character ids.
        gold: target tensors, by name; empty on unlabelled text.
    """

    examples: tuple[Example, ...]
    masks: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    gold: Mapping[str, Tensor] = field(default_factory=dict)

    def sentences(self, text: str) -> list[Sentence]:
        """Return the tokens of one text field, in row order."""
        return [example.texts[text] for example in self.examples]

    def to(self, device: str) -> "Batch":
        """Return the same batch with its tensors on ``device``."""

        def move(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}

        return Batch(examples=self.examples, masks=move(self.masks), inputs=move(self.inputs), gold=move(self.gold))


@dataclass(frozen=True, kw_only=True)
class TokenVectors:
    """What a head receives for one text field.

    Attributes:
        input: (batch, tokens, input_dim): what enters the head's contextual encoder.
        output: (batch, tokens, output_dim) or None: what is joined to that encoder's output
            (``mixing.placement=output|both``).
    """

    input: Tensor
    output: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A head's answer for one example, in the task's own form, JSON-serialisable."""

    id: str
    value: Any


@dataclass(frozen=True)
class Metrics:
    """Scores of one split, as fractions in [0, 1], by name (``f1``, ``PER/f1``)."""

    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)
