"""Static word vectors: one vector per word, independent of its context."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from harness.errors import ConfigError
from harness.features.converted_vectors import Floats, text_digest
from harness.features.glove_text import open_vectors
from harness.utils.download import fetch

Case = Literal["exact", "lower", "exact_then_lower"]
Oov = Literal["zeros", "mean", "normal"]


@dataclass(frozen=True)
class Coverage:
    """The fractions of a text's different words and of all its tokens that have a vector, in [0, 1]."""

    types: float
    tokens: float


class StaticVectors:
    """Pretrained word vectors from a file in GloVe's text format.

    The file (``.txt``, ``.gz`` or ``.zip``) is converted at its first use. After that, only the requested vectors are
    read, by memory map. If a word occurs more than once in the file, its first vector is used.

    Args:
        name: The name of the vectors in tables.
        path: A local file.
        url: The address from which the file is downloaded if no path is given.
        member: Which file of a ``.zip`` to read; None if it holds only one. Ignored for other files.
        cache_dir: The folder for downloads and converted vectors.
        case: How a word is looked up: as it is written, lower-cased, or first as written and then lower-cased.
        oov: The vector of a word that has none: zeros, the mean of all vectors, or a draw from a normal distribution
            with the mean and standard deviation of all entries. The draw depends on the word alone.
        trainable: True if the training of a task may change the vectors.

    Raises:
        ConfigError: Neither path nor URL is given, or a zip file has no such member.
        DataFormatError: The file is missing or damaged, or a line is not a word and its numbers.
        DownloadError: The file cannot be downloaded.
        CacheError: The converted vectors cannot be written, or they are damaged.

    Source: Pennington et al. 2014, "GloVe: Global Vectors for Word Representation". The normal distribution is that of
    AllenNLP 0.9 (``Embedding.from_params``).
    """

    def __init__(
        self,
        *,
        name: str,
        path: Path | str | None = None,
        url: str | None = None,
        member: str | None = None,
        cache_dir: Path | str,
        case: Case = "exact_then_lower",
        oov: Oov = "zeros",
        trainable: bool = False,
    ) -> None:
        self.name, self.trainable, self._case, self._oov = name, trainable, case, oov
        cache = Path(cache_dir).expanduser()
        if path is not None:
            source = Path(path).expanduser().resolve()
            record = cache / "vectors" / f"{text_digest(str(source))[:16]}.sha256"
        elif url is not None:
            source = fetch(url, folder=cache / "downloads")
            record = source.with_name(f"{source.name}.sha256")
        else:
            raise ConfigError(f"embedding '{name}': no vectors given; add embedding.path=FILE")
        self._converted = open_vectors(source, member=member, root=cache / "vectors", record=record)

    @property
    def dim(self) -> int:
        """The width of a vector."""
        return int(self._converted.vectors.shape[1])

    @property
    def fingerprint(self) -> str:
        """A hex digest of everything that determines the vectors: words, values, ``case``, ``oov``, ``trainable``."""
        return text_digest(json.dumps([self._converted.meta["content"], self._case, self._oov, self.trainable]))

    def lookup(self, words: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the vector of each word, and whether the word has a vector in the file.

        Returns:
            float32 (words, dim), and bool (words,), True where the word was found.
        """
        rows = np.array([self._row(word) for word in words], dtype=np.int64)  # (words,)
        found = rows >= 0  # (words,)
        vectors = np.zeros((len(rows), self.dim), dtype=np.float32)  # (words, dim)
        self._converted.check(rows[found])
        vectors[found] = self._converted.vectors[rows[found]]
        for position, word in enumerate(words):
            if not found[position]:
                vectors[position] = self._unknown(word)
        return torch.from_numpy(vectors), torch.from_numpy(found)

    def neighbours(self, word: str, count: int) -> list[tuple[str, float]]:
        """Return the words whose vectors have the largest cosine with the vector of ``word``.

        Args:
            word: Any word; it is looked up as in ``lookup``.
            count: How many neighbours to return, at most.

        Returns:
            Pairs of a word and its cosine, nearest first; empty if the word has no vector.
        """
        row = self._row(word)
        if row < 0:
            return []
        vectors = self._converted.vectors  # (words, dim)
        self._converted.check(np.arange(len(vectors)))
        norms = np.linalg.norm(vectors, axis=1)  # (words,)
        cosines = vectors @ vectors[row] / np.maximum(norms * norms[row], 1e-12)  # (words,)
        words = list(self._rows)
        nearest_rows = [other for other in np.argsort(-cosines)[: count + 1].tolist() if other != row]
        return [(words[other], float(cosines[other])) for other in nearest_rows[:count]]

    def coverage(self, counts: Mapping[str, int]) -> Coverage:
        """Return the fraction of a text that has vectors, given how often each word occurs; 0 for an empty text."""
        found = [count for word, count in counts.items() if self._row(word) >= 0]
        return Coverage(types=len(found) / max(len(counts), 1), tokens=sum(found) / max(sum(counts.values()), 1))

    @cached_property
    def _rows(self) -> dict[str, int]:
        """The row of each word; read at the first lookup."""
        return {word: row for row, word in enumerate(self._converted.words)}

    def _forms(self, word: str) -> list[str]:
        """Return the spellings under which a word is looked up, in order."""
        forms = {"exact": [word], "lower": [word.lower()], "exact_then_lower": [word, word.lower()]}
        return forms[self._case]

    def _row(self, word: str) -> int:
        """Return the row of a word, or -1."""
        return next((self._rows[form] for form in self._forms(word) if form in self._rows), -1)

    def _unknown(self, word: str) -> Floats | float:
        """Return the vector of a word that has none: (dim,), or one number for all entries."""
        if self._oov == "zeros":
            return 0.0
        if self._oov == "mean":
            return np.array(self._converted.meta["mean"], dtype=np.float32)  # (dim,)
        seed = int(text_digest(self._forms(word)[-1])[:16], 16)  # from the word alone: the order of words cannot matter
        mean, std = np.mean(self._converted.meta["mean"]), self._converted.meta["std"]
        return np.random.default_rng(seed).normal(mean, std, self.dim).astype(np.float32)  # (dim,)
