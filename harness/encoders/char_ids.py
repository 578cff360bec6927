"""The character ids of words, as the official biLM was trained on them.

Source: Reference code of ELMo (``UnicodeCharsVocabulary`` of bilm-tf, ``ELMoCharacterMapper`` of AllenNLP).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

BOS, EOS = "<S>", "</S>"  # these two strings stand for the sentence boundaries

# Raw ids: 0-255 are UTF-8 bytes. Every id is stored plus one, because 0 stands for a masked token.
_BEGIN_SENTENCE, _END_SENTENCE, _BEGIN_WORD, _END_WORD, _PADDING = 256, 257, 258, 259, 260


def char_ids(words: Sequence[str], *, max_chars: int = 50) -> Tensor:
    """Map words to the character ids of the biLM.

    A word is cut after ``max_chars - 2`` *bytes*, which may split a multi-byte character. Nothing is lower-cased, and
    there is no unknown character.

    Args:
        words: Any strings; ``<S>`` and ``</S>`` become the sentence boundaries.
        max_chars: Number of slots of a word, including its begin and end marks; at least 3.

    Returns:
        Int64 (words, max_chars), ids in [1, 261].
    """
    ids = np.full((len(words), max_chars), _PADDING, dtype=np.int64)  # (words, chars)
    for row, word in zip(ids, words, strict=True):
        content = _content(word)[: max_chars - 2]
        row[0] = _BEGIN_WORD
        row[1 : len(content) + 1] = content
        row[len(content) + 1] = _END_WORD
    return torch.from_numpy(ids + 1)


def without_padding(ids: Tensor, *, widest: int) -> Tensor:
    """Remove the slots that are padding in every word, except as many as the widest filter covers.

    All windows in padding are equal, and a maximum over windows needs only one of them.

    Args:
        ids: Int64 (words, chars), as returned by ``char_ids``.
        widest: Width of the widest filter that will be applied to them.

    Returns:
        Int64 (words, remaining chars).
    """
    used = (ids != _PADDING + 1).any(dim=0).nonzero()  # (slots, 1)
    longest = int(used[-1]) + 1 if len(used) else 0
    return ids[:, : longest + widest]


def _content(word: str) -> list[int]:
    """Return the raw ids between the begin and end marks of a word."""
    if word == BOS:
        return [_BEGIN_SENTENCE]
    if word == EOS:
        return [_END_SENTENCE]
    return list(word.encode("utf-8", "ignore"))
