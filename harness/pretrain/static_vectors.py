"""``python -m harness.pretrain.static_vectors``: static vectors from the text that a biLM was trained on.

So that "static against contextual" compares like with like. The training itself is gensim's: skip-gram with negative
sampling (Mikolov et al. 2013, arXiv 1310.4546), on one thread, so that the same command gives the same vectors.
"""

import argparse
import gzip
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.config.compose import user_cache
from harness.errors import ConfigError, DataFormatError
from harness.pretrain.corpus import Corpus, open_corpus
from harness.pretrain.tokenized_text import files_of
from harness.utils.console import configure_logging, exit_status_of, human_bytes
from harness.utils.files import replacing

log = logging.getLogger(__name__)

_MIN_COUNT = 2  # rarer words have no vector


class _Sentences:
    """The sentences of a corpus, as often as they are asked for, in one random order."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self._corpus = corpus
        self._order = np.random.default_rng(seed).permutation(len(corpus))

    def __iter__(self) -> Iterator[list[str]]:
        for index in self._order:
            yield list(self._corpus.words_of(int(index)))


def train(corpus: Corpus, *, dim: int, words: int, epochs: int, seed: int) -> tuple[list[str], NDArray[np.float32]]:
    """Return the most frequent words, and their vectors, (words, dim).

    Raises:
        ConfigError: gensim is not installed.
    """
    try:
        from gensim.models import Word2Vec
    except ModuleNotFoundError:
        raise ConfigError("training static vectors needs gensim; pip install 'elmo-harness[pretrain]'") from None
    if int(corpus.counts[2:].max()) < _MIN_COUNT:
        raise DataFormatError(f"no word occurs {_MIN_COUNT} times: too little text for static vectors")
    model = Word2Vec(
        _Sentences(corpus, seed),
        vector_size=dim,
        window=5,
        min_count=_MIN_COUNT,
        max_final_vocab=words,
        sg=1,
        negative=5,
        sample=1e-4,
        epochs=epochs,
        workers=1,
        seed=seed,
    )
    return list(model.wv.index_to_key), model.wv.vectors


def write(path: Path, words: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Write GloVe's text format, three decimals, gzipped; the same vectors give the same bytes."""
    with (
        replacing(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as out,
    ):
        for word, vector in zip(words, vectors, strict=True):
            numbers = " ".join(f"{value:.3f}" for value in vector)
            out.write(f"{word} {numbers}\n".encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m harness.pretrain.static_vectors", description=_first_line())
    parser.add_argument("train", nargs="+", help="text files, as for python -m harness.pretrain")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.txt.gz")
    parser.add_argument("--tokenize", action="store_true", help="the files are raw text, a paragraph a line")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--words", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache-dir", type=Path, default=None, help="where tokenised text is kept")
    chosen = parser.parse_args(arguments)
    configure_logging()
    logging.getLogger("gensim").setLevel(logging.WARNING)
    return exit_status_of(lambda: _run(chosen))


def _run(chosen: Any) -> None:
    paths = files_of(chosen.train, option="train")
    corpus = open_corpus(paths, tokenize=chosen.tokenize, cache_dir=chosen.cache_dir or Path(user_cache()))
    words, vectors = train(corpus, dim=chosen.dim, words=chosen.words, epochs=chosen.epochs, seed=chosen.seed)
    write(chosen.out, words, vectors)
    log.info("%s: %d words, %d dimensions, %s", chosen.out, *vectors.shape, human_bytes(chosen.out.stat().st_size))


def _first_line() -> str:
    assert __doc__ is not None
    return __doc__.split("\n")[0].partition(": ")[2]


if __name__ == "__main__":
    sys.exit(main())
