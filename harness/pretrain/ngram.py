"""Count-based language models that a biLM has to beat: a unigram and an interpolated Kneser-Ney trigram.

Source: Chen & Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling", section 3:
modified Kneser-Ney with three discounts an order, interpolated. Bigrams that begin a sentence keep their
plain counts, since what precedes them is always the boundary.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.errors import ConfigError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Order:
    """One order of the model: discounted probabilities of what was seen, and the mass left for the order below.

    Attributes:
        keys: int64 (seen,), sorted: context * size + word.
        probability: (seen,): discounted count over the context's total.
        contexts: int64 (contexts,), sorted.
        left: (contexts,): what the discounts have freed.
    """

    keys: Ints
    probability: Floats
    contexts: Ints
    left: Floats

    @classmethod
    def of(cls, keys: Ints, counts: Ints, size: int) -> "_Order":
        """Estimate an order from its sorted different keys and their counts."""
        discounts = _discounts(counts)  # (4,), by count, 3 for all above
        taken = discounts[np.minimum(counts, 3)]  # (seen,)
        contexts, first = np.unique(keys // size, return_index=True)  # (contexts,)
        totals = np.add.reduceat(counts, first)  # (contexts,)
        of_key = np.repeat(totals, np.diff([*first, len(keys)]))  # (seen,)
        return cls(keys, (counts - taken) / of_key, contexts, np.add.reduceat(taken, first) / totals)

    def interpolated(self, contexts: Ints, words: Ints, size: int, lower: Floats) -> Floats:
        """Return the probability of words after contexts, given that of the order below, (queries,)."""
        seen, place = _find(self.keys, contexts * size + words)
        probability = np.where(seen, self.probability[place], 0.0)
        known, place = _find(self.contexts, contexts)
        return probability + np.where(known, self.left[place], 1.0) * lower


class KneserNeyTrigram:
    """A trigram over rows of a vocabulary, in one direction.

    Args:
        tokens: int64 (tokens,): sentences end to end, each with ``begin`` before and ``end`` behind it.
        size: of the vocabulary; each of its rows has a probability above 0 everywhere.
        begin: the row of the boundary word before a sentence; a backward model has the other one there.

    Raises:
        ConfigError: the vocabulary is too large for a trigram to have a number of 64 bits.
    """

    def __init__(self, tokens: Ints, *, size: int, begin: int) -> None:
        if size > 2_000_000:
            raise ConfigError(f"a vocabulary of {size:,} words is too large for the trigram; 2,000,000 at most")
        self._size, self._begin = size, begin
        keys, counts = np.unique(self._keys(tokens), return_counts=True)  # of trigrams
        trigrams = _Order.of(keys, counts, size)
        pairs = keys % size**2  # (trigrams,)
        bigram_keys, preceding = np.unique(pairs, return_counts=True)  # in how many contexts each was seen
        plain = np.zeros(len(bigram_keys), dtype=np.int64)
        np.add.at(plain, np.searchsorted(bigram_keys, pairs), counts)
        bigram_counts = np.where(bigram_keys // size == begin, plain, preceding)
        words, different = np.unique(bigram_keys % size, return_counts=True)
        self._trigrams = trigrams
        self._bigrams = _Order.of(bigram_keys, bigram_counts, size)
        self._unigrams = _Order.of(words, different, size)  # their only context is 0

    def log_probabilities(self, tokens: Ints) -> Floats:
        """Return the log-probability of every word but ``begin``, in the order of ``tokens``, in nats."""
        keys = self._keys(tokens)
        return np.log(self.probabilities(keys // self._size, keys % self._size))

    def probabilities(self, contexts: Ints, words: Ints) -> Floats:
        """Return the probability of words, (queries,), after contexts ``second_last * size + last``."""
        size = self._size
        lowest = self._unigrams.interpolated(np.zeros_like(words), words, size, np.full(len(words), 1 / size))
        lower = self._bigrams.interpolated(contexts % size, words, size, lowest)
        return self._trigrams.interpolated(contexts, words, size, lower)

    def _keys(self, tokens: Ints) -> Ints:
        """Return the trigram that ends in each word, before the first of which ``begin`` stands twice."""
        last = np.concatenate([[self._begin], tokens[:-1]])
        before = np.concatenate([[self._begin, self._begin], tokens[:-2]])
        before = np.where(last == self._begin, self._begin, before)
        keys: Ints = (before * self._size + last) * self._size + tokens
        return keys[tokens != self._begin]


class Unigram:
    """Relative frequencies, one added to each count so that none is 0."""

    def __init__(self, tokens: Ints, *, size: int, begin: int) -> None:
        counts = np.bincount(tokens[tokens != begin], minlength=size) + 1
        self._log = np.log(counts / counts.sum())
        self._begin = begin

    def log_probabilities(self, tokens: Ints) -> Floats:
        """Return the log-probability of every word but ``begin``, in nats."""
        kept: Floats = self._log[tokens[tokens != self._begin]]
        return kept


def bounded(sentences: Iterable[Ints], *, begin: int, end: int) -> Ints:
    """Lay sentences end to end, each between its boundaries; backward models take them reversed."""
    parts: list[Sequence[int] | Ints] = []
    for sentence in sentences:
        parts += [[begin], sentence, [end]]
    return np.concatenate(parts).astype(np.int64)


def _discounts(counts: Ints) -> Floats:
    """Return what is taken off counts of 0, 1, 2, and 3 or more (Chen & Goodman 1998, equation 26)."""
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in range(1, 5))
    if not (n1 and n2 and n3):  # too little text to estimate them
        return np.array([0.0, 0.5, 0.5, 0.5])
    y = n1 / (n1 + 2 * n2)
    estimates = [0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return np.array([min(max(value, 0.0), k) for k, value in enumerate(estimates)])


def _find(keys: Ints, wanted: Ints) -> tuple[NDArray[np.bool_], Ints]:
    """Return whether each wanted key is among the sorted keys, and where."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return keys[place] == wanted, place
