"""Tokenisers of raw text, by name. Each returns the offsets of its tokens, so that answers can refer to the text."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from harness.errors import ConfigError, nearest
from harness.utils.english_words import tokenize as english

Tokenizer = Callable[[str], list[tuple[int, int]]]  # text -> offsets (start, end) of each token, in characters


def tokenizer_named(name: str) -> Tokenizer:
    """Return a tokeniser.

    Args:
        name: ``english`` (punctuation marks and contractions are tokens), ``whitespace``, ``characters`` (for example
            for Chinese and Japanese), or ``spacy:CODE``, spaCy's rules for the language CODE, such as ``spacy:de``.

    Raises:
        ConfigError: There is no tokeniser of this name, or spaCy is not installed.
    """
    if name.startswith("spacy:"):
        return _spacy(name.removeprefix("spacy:"))
    if name not in _BUILT_IN:
        raise ConfigError(f"there is no tokeniser '{name}'{nearest(name, [*_BUILT_IN, 'spacy:CODE'])}")
    return _BUILT_IN[name]


def _whitespace(text: str) -> list[tuple[int, int]]:
    """Return the parts between white space."""
    offsets, end = [], 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        offsets.append((start, end))
    return offsets


def _characters(text: str) -> list[tuple[int, int]]:
    """Return each character that is no white space."""
    return [(i, i + 1) for i, character in enumerate(text) if not character.isspace()]


_BUILT_IN: dict[str, Tokenizer] = {"english": english, "whitespace": _whitespace, "characters": _characters}


@lru_cache(maxsize=4)
def _spacy(code: str) -> Tokenizer:
    """Return spaCy's rule-based tokeniser of a language; it needs no model."""
    try:
        import spacy
    except ModuleNotFoundError:
        raise ConfigError("this tokeniser needs spaCy; run: pip install 'elmo-harness[pretrain]'") from None
    try:
        language: Any = spacy.blank(code)
    except ImportError as error:
        raise ConfigError(f"spacy:{code}: {' '.join(str(error).split())[:200]}") from None

    def tokenize(text: str) -> list[tuple[int, int]]:
        tokens = language.make_doc(text)
        return [(token.idx, token.idx + len(token)) for token in tokens if not token.is_space]

    return tokenize
