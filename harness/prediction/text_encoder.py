"""Frozen encoders for Python programs: ``encoder = harness.load_encoder("elmo_mini")``."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor

from harness.encoders.plugin_encoder import build_encoder, checked_encoder
from harness.errors import ConfigError
from harness.protocols import Encoder
from harness.types import Sentence
from harness.utils.tokenizers import tokenizer_named

_PORTION = 20_000  # tokens that are encoded together


def load_encoder(
    name: str = "elmo_mini", *, tokenizer: str = "english", device: str = "auto", **options: Any
) -> "TextEncoder":
    """Load a frozen encoder.

    Args:
        name: A choice of the group ``encoder``, such as ``elmo_mini`` (bundled) or ``transformers``.
        tokenizer: How raw text is split: ``english``, ``whitespace``, ``characters`` or ``spacy:CODE``.
        device: The torch device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        options: Options of the encoder, such as ``model="FOLDER"`` for ``transformers``.

    Raises:
        HarnessError: There is no such encoder or option, or its files are missing or damaged.
    """
    from omegaconf import OmegaConf

    from harness.config.compose import compose_values
    from harness.config.schema import resolved
    from harness.utils.devices import device_of

    config = compose_values("config", [f"encoder={name}"])
    for key, value in options.items():
        OmegaConf.update(config, f"encoder.{key}", value, force_add=True)
    encoder = build_encoder(resolved(config)["encoder"], device=device_of(device))
    if encoder is None:
        raise ConfigError("load_encoder('none'): there is nothing to load; name an encoder such as 'elmo_mini'")
    return TextEncoder(encoder, tokenizer=tokenizer)


class TextEncoder:
    """A frozen encoder that is called with texts, and returns their vectors in the same order.

    Args:
        encoder: The encoder.
        tokenizer: The name of the tokeniser of raw text; see ``load_encoder``.
    """

    def __init__(self, encoder: Encoder, *, tokenizer: str = "english") -> None:
        checked = checked_encoder(encoder)
        assert checked is not None
        self.encoder = checked
        self._tokenize = tokenizer_named(tokenizer)

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a raw text."""
        return [text[start:end] for start, end in self._tokenize(text)]

    def __call__(self, texts: str | Iterable[str | Sequence[str]]) -> Any:
        """Encode texts.

        Args:
            texts: Several texts, each a list of tokens or a string, which is tokenised; or one string.

        Returns:
            A list with one float32 tensor (layers, tokens, dim) for each text, in the given order; for one string,
            its tensor. A text without tokens has a tensor with no tokens.
        """
        if isinstance(texts, str):
            return self([texts])[0]
        return list(self.iterate(texts))

    def iterate(self, texts: Iterable[str | Sequence[str]]) -> Iterator[Tensor]:
        """Yield the vectors of each text in the given order; memory does not grow with the number of texts.

        Args:
            texts: As for calling the encoder.

        Yields:
            float32 (layers, tokens, dim) on the CPU.

        Raises:
            ConfigError: A text is neither a string nor a list of tokens.
        """
        portion: list[Sentence] = []
        waiting = 0
        for number, text in enumerate(texts):
            try:
                portion.append(tuple(self.tokenize(text) if isinstance(text, str) else text))
            except TypeError:
                raise ConfigError(f"text {number} is {text!r:.80}; give a string or a list of tokens") from None
            waiting += len(portion[-1])
            if waiting >= _PORTION:
                yield from self._encode(portion)
                portion, waiting = [], 0
        yield from self._encode(portion)

    def _encode(self, sentences: Sequence[Sentence]) -> Iterator[Tensor]:
        """Yield the vectors of sentences in order; equal sentences are encoded once."""
        unique = list(dict.fromkeys(sentences))
        vectors = {unique[index]: layers for index, layers in self.encoder.encode(unique)}
        yield from (vectors[sentence] for sentence in sentences)
