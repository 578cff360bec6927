"""Words to the pieces of a subword tokenizer, and long sentences to overlapping windows of pieces."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from harness.errors import ConfigError
from harness.types import Sentence

Pooling = Literal["first", "last", "mean", "first_last"]

log = logging.getLogger(__name__)


class Pieces(NamedTuple):
    """The pieces of one sentence, without special tokens.

    Attributes:
        ids: The id of each piece.
        starts: The place of the first piece of each word, and at the end the number of pieces.
    """

    ids: list[int]
    starts: list[int]


class Window(NamedTuple):
    """A part of a sentence that the model reads at once.

    Attributes:
        start: The place of its first piece in the sentence.
        ids: The ids of its pieces, without special tokens.
        words: The numbers of the words whose vectors are taken from this window.
    """

    start: int
    ids: list[int]
    words: list[int]


@dataclass(frozen=True, kw_only=True)
class Specials:
    """The special tokens that the tokenizer puts around a text: ``[CLS]`` and ``[SEP]``, a BOS token, or none."""

    before: tuple[int, ...]
    after: tuple[int, ...]


class SubwordTokenizer:
    """Splits sentences, which are already tokenised into words, into pieces.

    Args:
        tokenizer: A fast tokenizer of the library ``transformers``.
        source: What error messages call it.

    Raises:
        ConfigError: The tokenizer cannot say which word a piece comes from.
    """

    def __init__(self, tokenizer: Any, *, source: str) -> None:
        if not tokenizer.is_fast:
            raise ConfigError(
                f"{source}: its tokenizer cannot tell which word a piece belongs to, because it has no fast version; "
                "choose a model whose folder contains tokenizer.json"
            )
        self._tokenizer = tokenizer
        ids, mask = (self._tokenizer("a", return_special_tokens_mask=True)[key] for key in _IDS_AND_MASK)
        first, last = mask.index(0), len(mask) - mask[::-1].index(0)
        self.specials = Specials(before=tuple(ids[:first]), after=tuple(ids[last:]))
        unknown = [tokenizer.unk_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id]
        self._unknown = next((token for token in unknown if token is not None), None)
        self._source = source

    def pieces_of(self, sentences: Sequence[Sentence], *, most: int) -> list[Pieces]:
        """Return the pieces of each sentence.

        A word without pieces, such as a zero-width space, becomes the unknown piece; in a model without one, it becomes
        the end-of-text token.

        Args:
            sentences: The sentences, none of them empty.
            most: Greatest number of pieces of a word; the others are left out.

        Raises:
            ConfigError: A word has no pieces, and the model has no token that could stand for it.
        """
        encoded = self._tokenizer(
            [list(sentence) for sentence in sentences],
            is_split_into_words=True,
            add_special_tokens=False,
            truncation=False,
            verbose=False,  # no warning about long texts: they are read in windows
        )
        return [
            self._divided(sentence, ids, encoded.word_ids(row), most)
            for row, (sentence, ids) in enumerate(zip(sentences, encoded["input_ids"], strict=True))
        ]

    def _divided(self, sentence: Sentence, ids: list[int], words: list[int | None], most: int) -> Pieces:
        """Return the pieces of a sentence by word."""
        by_word: list[list[int]] = [[] for _ in sentence]
        for token, number in zip(ids, words, strict=True):
            if number is not None:
                by_word[number].append(token)
        pieces = Pieces([], [])
        for word, tokens in zip(sentence, by_word, strict=True):
            pieces.starts.append(len(pieces.ids))
            if len(tokens) > most:
                log.warning(
                    "%s: only the first %d of %d pieces of a word are read: %.30s...",
                    self._source,
                    most,
                    len(tokens),
                    word,
                )
            pieces.ids.extend(tokens[:most] or [self._unknown_piece(word)])
        pieces.starts.append(len(pieces.ids))
        return pieces

    def _unknown_piece(self, word: str) -> int:
        """Return the piece of a word that has none."""
        if self._unknown is None:
            raise ConfigError(f"{self._source}: the word {word!r} has no pieces, and there is no unknown token")
        return self._unknown


_IDS_AND_MASK = ("input_ids", "special_tokens_mask")


def windows_of(pieces: Pieces, *, size: int, causal: bool) -> list[Window]:
    """Divide a sentence into windows that overlap by half, and assign each word to one of them.

    A word is taken from the window in which its poorer side has the most context; for a causal model, only the left
    side counts.

    Args:
        pieces: The pieces of a sentence; no word has more than half of ``size``.
        size: Greatest number of pieces in a window, at least 2.
        causal: Whether the model reads only what is to the left of a piece.
    """
    ids, total = pieces.ids, len(pieces.ids)
    if total <= size:
        return [Window(0, ids, list(range(len(pieces.starts) - 1)))]
    step = size - size // 2
    starts = [*range(0, total - size, step), total - size]
    words: list[list[int]] = [[] for _ in starts]
    for word, (first, end) in enumerate(zip(pieces.starts, pieces.starts[1:], strict=False)):
        inside = [i for i, start in enumerate(starts) if start <= first and end <= start + size]
        left = {i: first - starts[i] for i in inside}
        right = {i: starts[i] + size - end for i in inside}
        words[max(inside, key=lambda i: left[i] if causal else min(left[i], right[i]))].append(word)
    return [Window(start, ids[start : start + size], own) for start, own in zip(starts, words, strict=True)]


def pooled(vectors: Tensor, starts: Tensor, ends: Tensor, pooling: Pooling) -> Tensor:
    """Reduce the vectors of the pieces of each word to one vector.

    Args:
        vectors: Float (layers, pieces, dim).
        starts: Int64 (words,), the place of the first piece of each word.
        ends: Int64 (words,), the place after its last piece.
        pooling: ``first`` piece, ``last`` piece, ``mean`` of all pieces, or ``first_last``, the mean of the two.

    Returns:
        Float (layers, words, dim).
    """
    if pooling == "first":
        return vectors[:, starts]  # (layers, words, dim)
    if pooling == "last":
        return vectors[:, ends - 1]  # (layers, words, dim)
    if pooling == "first_last":
        return (vectors[:, starts] + vectors[:, ends - 1]) / 2  # (layers, words, dim)
    counts = ends - starts  # (words,)
    word_of = torch.repeat_interleave(counts)  # (pieces of these words,)
    offsets = torch.arange(len(word_of)) - (counts.cumsum(0) - counts)[word_of]  # (pieces,), the place within the word
    sums = vectors.new_zeros(len(vectors), len(starts), vectors.shape[2])  # (layers, words, dim)
    sums.index_add_(1, word_of.to(vectors.device), vectors[:, (starts[word_of] + offsets)])
    return sums / counts[None, :, None].to(vectors.device)  # (layers, words, dim)
