"""A passage of raw text with its words: an answer is characters of the text, a head points at words."""

from dataclasses import dataclass

import numpy as np

from harness.types import Sentence
from tasks.common.english_words import tokenize, tokens_at


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Passage:
    """A text and where its words are.

    Attributes:
        text: as it came.
        tokens: its words.
        offsets: int32 (tokens, 2), the first character of each word and the one after its last.
    """

    text: str
    tokens: Sentence
    offsets: np.ndarray

    @classmethod
    def of(cls, text: str) -> "Passage":
        """Split a text into words."""
        offsets = tokenize(text)
        return cls(
            text=text,
            tokens=tokens_at(text, offsets),
            offsets=np.array(offsets, dtype=np.int32).reshape(-1, 2),
        )

    def cover(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and the last word with a part in ``text[start:end]``, which is not empty; None for none."""
        first = int(np.searchsorted(self.offsets[:, 1], start, side="right"))
        last = int(np.searchsorted(self.offsets[:, 0], end, side="left")) - 1
        return (first, last) if first <= last else None

    def span(self, first: int, last: int) -> str:
        """Return the text from one word to another, as it stands in the passage."""
        return self.text[self.offsets[first, 0] : self.offsets[last, 1]]

    def cut(self, tokens: int) -> "Passage":
        """Return the passage up to a number of words; its text stays whole."""
        return Passage(text=self.text, tokens=self.tokens[:tokens], offsets=self.offsets[:tokens])
