"""A text as characters and as tokens: heads predict tokens, and answers refer to characters of the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from sys import intern

import numpy as np

from harness.types import Sentence
from harness.utils.tokenizers import Tokenizer


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class TokenizedText:
    """A text and the positions of its tokens.

    Args:
        text: The raw text.
        tokens: The tokens. Equal tokens of all texts are one object, which saves memory.
        offsets: int32 (tokens, 2), the position of the first character of each token and the position after its last.
    """

    text: str
    tokens: Sentence
    offsets: np.ndarray

    @classmethod
    def of(cls, text: str, tokenize: Tokenizer) -> "TokenizedText":
        """Return a raw text, split into tokens.

        Args:
            text: The text.
            tokenize: Returns the offsets of the tokens.
        """
        offsets = tokenize(text)
        array = np.array(offsets, dtype=np.int32).reshape(-1, 2)  # (tokens, 2)
        return cls(text=text, tokens=tuple(intern(text[start:end]) for start, end in offsets), offsets=array)

    @classmethod
    def of_tokens(cls, tokens: Sequence[str], text: str | None = None) -> "TokenizedText":
        """Return tokens with their positions.

        Args:
            tokens: The tokens.
            text: The text that has these tokens, in this order; None for the tokens joined by spaces.

        Raises:
            ValueError: A token is not in the text, or not after the token before it.
        """
        offsets: list[tuple[int, int]] = []
        end = 0
        whole = " ".join(tokens) if text is None else text
        for token in tokens:
            start = end + bool(offsets) if text is None else text.find(token, end)
            if start < 0:
                raise ValueError(f"the token {token!r} is not in the text, or not after the token before it")
            end = start + len(token)
            offsets.append((start, end))
        array = np.array(offsets, dtype=np.int32).reshape(-1, 2)  # (tokens, 2)
        return cls(text=whole, tokens=tuple(intern(str(token)) for token in tokens), offsets=array)

    def tokens_in(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and the last token that has a character in ``text[start:end]``; None if there is none.

        Args:
            start: The position of the first character.
            end: The position after the last character, greater than ``start``.
        """
        first = int(np.searchsorted(self.offsets[:, 1], start, side="right"))
        last = int(np.searchsorted(self.offsets[:, 0], end, side="left")) - 1
        return (first, last) if first <= last else None

    def chars_of(self, first: int, last: int) -> tuple[int, int]:
        """Return the position of the first character of a span of tokens, and the position after its last.

        Args:
            first: The index of the first token.
            last: The index of the last token.
        """
        return int(self.offsets[first, 0]), int(self.offsets[last, 1])

    def text_of(self, first: int, last: int) -> str:
        """Return the text of a span of tokens.

        Args:
            first: The index of the first token.
            last: The index of the last token.
        """
        start, end = self.chars_of(first, last)
        return self.text[start:end]

    def truncated(self, max_tokens: int) -> "TokenizedText":
        """Return the text with its first tokens only; the characters stay complete."""
        return TokenizedText(text=self.text, tokens=self.tokens[:max_tokens], offsets=self.offsets[:max_tokens])
