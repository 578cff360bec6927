"""Static word vectors from the text of a biLM, for a fair comparison of static and contextual vectors.

gensim trains them: skip-gram with negative sampling (Mikolov et al. 2013, arXiv 1310.4546). It uses one thread, because
only then does the same command give the same vectors.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import ConfigError, DataFormatError
from harness.pretrain.corpus import Corpus
from harness.pretrain.plain_text import write_lines

_MIN_COUNT = 2  # rarer words have no vector
_SKIP_GRAM = {"sg": 1, "window": 5, "negative": 5, "sample": 1e-4, "min_count": _MIN_COUNT, "workers": 1}


class _Sentences:
    """The sentences of a corpus in one random order, which can be read several times."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self._corpus = corpus
        self._order = np.random.default_rng(seed).permutation(len(corpus))

    def __iter__(self) -> Iterator[list[str]]:
        for index in self._order:
            yield list(self._corpus.words_of(int(index)))


def train_static_vectors(
    corpus: Corpus, *, dim: int, words: int, epochs: int, seed: int
) -> tuple[list[str], NDArray[np.float32]]:
    """Train static vectors.

    Args:
        corpus: The text.
        dim: Width of the vectors.
        words: Largest number of words that get a vector. The most frequent ones are chosen.
        epochs: Number of passes over the text.
        seed: Seed of the order of sentences and of the training.

    Returns:
        The words, and their vectors, float32 (words, dim).

    Raises:
        ConfigError: gensim is not installed.
        DataFormatError: No word occurs often enough.
    """
    try:
        from gensim.models import Word2Vec
    except ModuleNotFoundError:
        raise ConfigError("training static vectors needs gensim; pip install 'elmo-harness[pretrain]'") from None
    if int(corpus.counts[2:].max()) < _MIN_COUNT:
        raise DataFormatError(f"no word occurs {_MIN_COUNT} times: the text is too short for static vectors")
    model = Word2Vec(
        _Sentences(corpus, seed), vector_size=dim, max_final_vocab=words, epochs=epochs, seed=seed, **_SKIP_GRAM
    )
    return list(model.wv.index_to_key), model.wv.vectors


def write_vectors(path: Path, words: Sequence[str], vectors: NDArray[np.float32], *, decimals: int = 3) -> None:
    """Write vectors in GloVe's text format. The same vectors give the same bytes.

    Args:
        path: The file to write, plain or ``.gz``.
        words: One word per row of ``vectors``.
        vectors: float32 (words, dim).
        decimals: Number of decimals of each value.
    """
    rows = zip(words, vectors, strict=True)
    write_lines(path, (" ".join([word, *(f"{value:.{decimals}f}" for value in vector)]) for word, vector in rows))
