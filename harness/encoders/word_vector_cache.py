"""Context-free vectors of words: each different word goes through the character CNN once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.encoders.bilm import CharCnn
from harness.encoders.char_ids import char_ids, without_padding
from harness.encoders.kernels.async_copy import device_copy

_WORDS_AT_ONCE = 256  # whose characters are convolved at once
_WORDS_KEPT = 2**15  # vectors kept between calls


def word_vectors(char_cnn: CharCnn, words: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return the vectors of the different words, float (types, projection_dim), and int64 (words,), each word's row."""
    types, rows = _types(words)
    return _vectors(char_cnn, types), device_copy(rows, char_cnn.char_embed.device)


class KeptWordVectors:
    """The vectors of a frozen character CNN, kept between calls.

    Args:
        char_cnn: frozen.
    """

    def __init__(self, char_cnn: CharCnn) -> None:
        self._char_cnn = char_cnn
        self._places: dict[str, int] = {}
        self._kept = char_cnn.char_embed.new_empty(_WORDS_KEPT, char_cnn.options.projection_dim)

    def of(self, words: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return what ``word_vectors`` returns."""
        types, rows = _types(words)
        if len(types) > len(self._kept):
            return word_vectors(self._char_cnn, words)
        new = [word for word in types if word not in self._places]
        if len(self._places) + len(new) > len(self._kept):
            self._places, new = {}, types
        if new:
            first = len(self._places)
            self._kept[first : first + len(new)] = _vectors(self._char_cnn, new)
            self._places |= {word: first + i for i, word in enumerate(new)}
        places = device_copy(torch.tensor([self._places[word] for word in types]), self._kept.device)  # (types,)
        return self._kept[places], device_copy(rows, self._kept.device)


def _types(words: Sequence[str]) -> tuple[list[str], Tensor]:
    """Return the different words, and int64 (words,): the place of each word among them."""
    places: dict[str, int] = {}
    rows = [places.setdefault(word, len(places)) for word in words]
    return list(places), torch.tensor(rows)


def _vectors(char_cnn: CharCnn, types: Sequence[str]) -> Tensor:
    """Return float (types, projection_dim); words of similar length are convolved together, with little padding."""
    device = char_cnn.char_embed.device
    order = sorted(range(len(types)), key=lambda i: len(types[i].encode("utf-8", "ignore")))
    widest = max(width for width, _ in char_cnn.options.filters)
    parts = []
    for start in range(0, len(order), _WORDS_AT_ONCE):
        words = [types[i] for i in order[start : start + _WORDS_AT_ONCE]]
        ids = without_padding(char_ids(words, max_chars=char_cnn.options.max_chars), widest=widest)  # (words, chars)
        # On a GPU convolutions would be rounded to TF32, unlike products.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            parts.append(char_cnn(device_copy(ids, device)))  # (words, projection_dim)
    vectors = torch.cat(parts)
    return torch.empty_like(vectors).index_copy_(0, device_copy(torch.tensor(order), device), vectors)
