"""The values that the parts of the harness exchange. All are frozen dataclasses."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

import torch
from torch import Tensor

from harness.errors import ConfigError, HarnessError

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
Sentence = tuple[str, ...]  # the tokens of one text, as the encoder receives them


class Document(Sentence):
    """All tokens of several sentences. Each sentence is encoded by itself; a head reads the document as one text.

    Args:
        sentences: The tokens of each sentence.
    """

    sentences: tuple[Sentence, ...]

    def __new__(cls, sentences: Iterable[Sentence]) -> "Document":
        """Join the sentences, and keep them."""
        kept = tuple(sentences)
        document = super().__new__(cls, chain.from_iterable(kept))
        document.sentences = kept
        return document

    def __getnewargs__(self) -> tuple[tuple[Sentence, ...]]:
        """Return what a copy is made from."""
        return (self.sentences,)


def sentences_of(text: Sentence) -> tuple[Sentence, ...]:
    """Return the sentences of a document; of any other text, the text itself as the only one."""
    return text.sentences if isinstance(text, Document) else (text,)


def places_of(texts: Iterable[Sentence]) -> Iterator[tuple[int, slice, Sentence]]:
    """Yield each sentence with its place in a batch: the row of its text, and its tokens in this row."""
    for row, text in enumerate(texts):
        start = 0
        for sentence in sentences_of(text):
            yield row, slice(start, start + len(sentence)), sentence
            start += len(sentence)


def check_sentences(sentences: Iterable[Sentence]) -> None:
    """Raise a ``ConfigError`` if a sentence is no sequence of words, such as a string, which is one of characters."""
    for place, sentence in enumerate(sentences):
        if isinstance(sentence, str | bytes) or (sentence and not isinstance(sentence[0], str)):
            raise ConfigError(f"sentence {place} is {str(sentence)[:80]!r}; give its words, as a tuple of strings")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One labelled instance of a task, already tokenised.

    Attributes:
        id: Unique within its split; it names the example in ``predictions.jsonl``.
        texts: Field name -> tokens, such as ``{"tokens": ...}`` or ``{"premise": ..., "hypothesis": ...}``. Several
            sentences that belong together are a ``Document``.
        target: The gold answer in the task's own form, JSON-serialisable; None for unlabelled text.
        origin: Field name -> the ``TokenizedText`` that the tokens are from, if an answer refers to its characters;
            nothing is learned from it.
    """

    id: str
    texts: Mapping[str, Sentence]
    target: Any = None
    origin: Any = None

    def __post_init__(self) -> None:
        """Refuse what would be encoded as something else: a string would be read as a list of its characters."""
        for name, text in self.texts.items():
            if not isinstance(text, tuple) or (text and not isinstance(text[0], str)):
                found = f"tuple of {type(text[0]).__name__}" if isinstance(text, tuple) else type(text).__name__
                raise HarnessError(f"example {self.id}: texts['{name}'] is a {found}; expected a tuple of words")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Examples padded to common lengths.

    Attributes:
        examples: The examples, in row order.
        masks: Field name -> bool (batch, tokens), True where there is a token.
        inputs: Tensors that a head reads in addition to the token vectors, such as character ids.
        gold: Target tensors by name; empty for unlabelled text.
    """

    examples: tuple[Example, ...]
    masks: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    gold: Mapping[str, Tensor] = field(default_factory=dict)

    def sentences(self, text: str) -> list[Sentence]:
        """Return the tokens of the text field ``text``, in row order."""
        return [example.texts[text] for example in self.examples]

    def to(self, device: str) -> "Batch":
        """Return the same batch with its tensors on ``device``."""

        def move(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}

        return Batch(examples=self.examples, masks=move(self.masks), inputs=move(self.inputs), gold=move(self.gold))


@dataclass(frozen=True, kw_only=True)
class TokenVectors:
    """The vectors of one text field, as a head receives them.

    Attributes:
        input: float32 (batch, tokens, input_dim): the input of the head's contextual encoder.
        output: float32 (batch, tokens, output_dim), concatenated with the output of that encoder
            (``mixing.placement=output|both``); otherwise None.
    """

    input: Tensor
    output: Tensor | None = None

    def join_output(self, encoded: Tensor) -> Tensor:
        """Return ``encoded``, float (batch, tokens, dim), with ``output`` concatenated to it if there is one."""
        return encoded if self.output is None else torch.cat([encoded, self.output], dim=2)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The answer of a head for one example.

    Attributes:
        id: The id of the example.
        value: The answer in the task's own form, JSON-serialisable.
        scores: How probable the answer is, if the head knows: a number or a tensor on the CPU. ``Task.answer`` says
            what it means. It is not recorded.
    """

    id: str
    value: Any
    scores: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Metrics:
    """Scores of one split, as fractions between 0 and 1, by name (``f1``, ``PER/f1``)."""

    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)
