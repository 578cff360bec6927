"""Count-based language models that a biLM has to beat: a unigram and an interpolated Kneser-Ney trigram.

The perplexity of a biLM means little by itself, because it depends on the text and on the vocabulary. These models tell
how well counting words predicts the same text with the same vocabulary.

Source: Chen & Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling", section 3:
interpolated modified Kneser-Ney with three discounts per order. Bigrams that begin a sentence keep their
plain counts, because the boundary is the only word that can precede them.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.errors import ConfigError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Order:
    """One order of the model, from the counts of its keys, context * size + word, which are sorted and different."""

    def __init__(self, keys: Ints, counts: Ints, size: int) -> None:
        discounts = _discounts(counts)  # (4,), by count; the last one is for 3 and more
        taken = discounts[np.minimum(counts, 3)]  # (seen,)
        self._keys, self._size = keys, size
        self._contexts, first = np.unique(keys // size, return_index=True)  # (contexts,)
        totals = np.add.reduceat(counts, first)  # (contexts,)
        self._probability = (counts - taken) / np.repeat(totals, np.diff([*first, len(keys)]))  # (seen,)
        self._left = np.add.reduceat(taken, first) / totals  # (contexts,): the mass that the discounts have freed

    def interpolated(self, contexts: Ints, words: Ints, lower: Floats) -> Floats:
        """Return the probability of words after contexts, (queries,), from ``lower``, that by the next lower order."""
        seen, place = _find(self._keys, contexts * self._size + words)
        probability = np.where(seen, self._probability[place], 0.0)
        known, place = _find(self._contexts, contexts)
        return probability + np.where(known, self._left[place], 1.0) * lower


class KneserNeyTrigram:
    """A trigram model over rows of a vocabulary, in one direction.

    Args:
        tokens: int64 (tokens,): the training text, as ``bounded`` returns it.
        size: Number of words in the vocabulary. Each of them has a probability above 0 after every context.
        begin: The row of the boundary word that comes before each sentence.

    Raises:
        ConfigError: The vocabulary is so large that the number of a trigram would exceed 64 bits.
    """

    def __init__(self, *, tokens: Ints, size: int, begin: int) -> None:
        if size > 2_000_000:
            raise ConfigError(f"a vocabulary of {size:,} words is too large for the trigram; use at most 2,000,000")
        self._size, self._begin = size, begin
        keys, counts = np.unique(self._keys(tokens), return_counts=True)  # of trigrams
        self._trigrams = _Order(keys, counts, size)
        pairs = keys % size**2  # (trigrams,)
        bigram_keys, preceding = np.unique(pairs, return_counts=True)  # the number of words seen before each
        plain = np.zeros(len(bigram_keys), dtype=np.int64)
        np.add.at(plain, np.searchsorted(bigram_keys, pairs), counts)
        bigram_counts = np.where(bigram_keys // size == begin, plain, preceding)
        words, different = np.unique(bigram_keys % size, return_counts=True)
        self._bigrams = _Order(bigram_keys, bigram_counts, size)
        self._unigrams = _Order(words, different, size)  # their only context is 0

    def log_probabilities(self, tokens: Ints) -> Floats:
        """Return the log-probability of every word except ``begin``, in nats, in the order of ``tokens``."""
        keys = self._keys(tokens)
        return np.log(self.probabilities(keys // self._size, keys % self._size))

    def probabilities(self, contexts: Ints, words: Ints) -> Floats:
        """Return the probability of words after contexts, float64 (queries,).

        Args:
            contexts: int64 (queries,): ``second_last * size + last``, the two words before each word.
            words: int64 (queries,): rows of the vocabulary.
        """
        lowest = self._unigrams.interpolated(np.zeros_like(words), words, np.full(len(words), 1 / self._size))
        lower = self._bigrams.interpolated(contexts % self._size, words, lowest)
        return self._trigrams.interpolated(contexts, words, lower)

    def _keys(self, tokens: Ints) -> Ints:
        """Return the trigram that ends in each word except ``begin``. A sentence begins with ``begin`` twice."""
        last = np.concatenate([[self._begin], tokens[:-1]])
        before = np.concatenate([[self._begin, self._begin], tokens[:-2]])
        before = np.where(last == self._begin, self._begin, before)
        keys: Ints = (before * self._size + last) * self._size + tokens
        return keys[tokens != self._begin]


class Unigram:
    """A unigram model: relative frequencies. Adding one to each count keeps every probability above 0.

    Args:
        tokens: int64 (tokens,): the training text, as ``bounded`` returns it.
        size: Number of words in the vocabulary.
        begin: The row of the boundary word that comes before each sentence.
    """

    def __init__(self, *, tokens: Ints, size: int, begin: int) -> None:
        counts = np.bincount(tokens[tokens != begin], minlength=size) + 1
        self._log = np.log(counts / counts.sum())
        self._begin = begin

    def log_probabilities(self, tokens: Ints) -> Floats:
        """Return the log-probability of every word except ``begin``, in nats, in the order of ``tokens``."""
        kept: Floats = self._log[tokens[tokens != self._begin]]
        return kept


def bounded(sentences: Iterable[Ints], *, begin: int, end: int) -> Ints:
    """Return sentences end to end, each between its boundaries, int64 (tokens,).

    Args:
        sentences: Rows of a vocabulary, (words,) each; reversed for a backward model.
        begin: The row of the boundary before a sentence.
        end: The row of the boundary after it.
    """
    parts: list[Sequence[int] | Ints] = []
    for sentence in sentences:
        parts += [[begin], sentence, [end]]
    return np.concatenate(parts).astype(np.int64)


def _discounts(counts: Ints) -> Floats:
    """Return the discounts of counts of 0, 1, 2, and 3 or more (Chen & Goodman 1998, equation 26)."""
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in range(1, 5))
    if not (n1 and n2 and n3):  # there is too little text to estimate them
        return np.array([0.0, 0.5, 0.5, 0.5])
    y = n1 / (n1 + 2 * n2)
    estimates = [0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return np.array([min(max(value, 0.0), k) for k, value in enumerate(estimates)])


def _find(keys: Ints, wanted: Ints) -> tuple[NDArray[np.bool_], Ints]:
    """Return whether each wanted key is among the sorted keys, and its place there."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return keys[place] == wanted, place
