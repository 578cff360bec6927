"""Context-free vectors of words: each different word goes through the character CNN once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.encoders.bilm import CharCnn
from harness.encoders.char_ids import char_ids

_WORDS_AT_ONCE = 256  # whose characters are convolved at once
_WORDS_KEPT = 2**15  # vectors kept between calls


def word_vectors(char_cnn: CharCnn, words: Sequence[str]) -> Tensor:
    """Return float (words, projection_dim)."""
    rows = {word: row for row, word in enumerate(dict.fromkeys(words))}
    unique, device = list(rows), char_cnn.char_embed.device
    parts = []
    for start in range(0, len(unique), _WORDS_AT_ONCE):
        ids = char_ids(unique[start : start + _WORDS_AT_ONCE], max_chars=char_cnn.options.max_chars)  # (words, chars)
        parts.append(char_cnn(ids.to(device)))  # (words, projection_dim)
    return torch.cat(parts)[[rows[word] for word in words]]


class KeptWordVectors:
    """The vectors of a frozen character CNN, kept between calls.

    Args:
        char_cnn: frozen.
    """

    def __init__(self, char_cnn: CharCnn) -> None:
        self._char_cnn = char_cnn
        self._rows: dict[str, int] = {}
        self._vectors = torch.empty(0)

    def of(self, words: Sequence[str]) -> Tensor:
        """Return float (words, projection_dim)."""
        new = [word for word in dict.fromkeys(words) if word not in self._rows]
        if len(self._rows) + len(new) > _WORDS_KEPT:
            self._rows, new = {}, list(dict.fromkeys(words))
        if new:
            vectors = word_vectors(self._char_cnn, new)  # (new, projection_dim)
            self._vectors = torch.cat([self._vectors, vectors]) if self._rows else vectors
            self._rows |= {word: len(self._rows) + i for i, word in enumerate(new)}
        return self._vectors[[self._rows[word] for word in words]]
