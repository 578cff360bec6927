"""A passage as raw text and as tokens: answers are characters of the text, and heads predict tokens."""

from dataclasses import dataclass

import numpy as np

from harness.types import Sentence
from harness.utils.english_words import tokenize, tokens_at


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class TokenizedPassage:
    """A text and the positions of its tokens.

    Args:
        text: The raw text.
        tokens: The tokens.
        offsets: int32 (tokens, 2), the position of the first character of each token and the position after its last.
    """

    text: str
    tokens: Sentence
    offsets: np.ndarray

    @classmethod
    def of(cls, text: str) -> "TokenizedPassage":
        """Return a text, split into tokens."""
        offsets = tokenize(text)
        array = np.array(offsets, dtype=np.int32).reshape(-1, 2)  # (tokens, 2)
        return cls(text=text, tokens=tokens_at(text, offsets), offsets=array)

    def tokens_in(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and the last token that has a character in ``text[start:end]``; None if there is none.

        Args:
            start: The position of the first character.
            end: The position after the last character, greater than ``start``.
        """
        first = int(np.searchsorted(self.offsets[:, 1], start, side="right"))
        last = int(np.searchsorted(self.offsets[:, 0], end, side="left")) - 1
        return (first, last) if first <= last else None

    def text_of(self, first: int, last: int) -> str:
        """Return the text of a span of tokens, as in the passage.

        Args:
            first: The index of the first token.
            last: The index of the last token.
        """
        return self.text[self.offsets[first, 0] : self.offsets[last, 1]]

    def truncated(self, max_tokens: int) -> "TokenizedPassage":
        """Return the passage with its first tokens only; its text stays complete."""
        return TokenizedPassage(text=self.text, tokens=self.tokens[:max_tokens], offsets=self.offsets[:max_tokens])
