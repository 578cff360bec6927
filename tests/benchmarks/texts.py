"""Sentences for benchmarks: synthetic, with lengths and word frequencies similar to those of news text."""

import itertools
import random
from pathlib import Path

from harness.types import Sentence

_TYPES = 30_000
_LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


def drawn(count: int, *, seed: int = 0) -> list[Sentence]:
    """Return random sentences of 2 to 60 words, with the mean length of CoNLL-2003 (14.5 words).

    The words are drawn by Zipf's law from 30,000 invented ones; frequent words are shorter. 600 sentences have about
    8,700 tokens and a third as many word types.
    """
    draw = random.Random(seed)
    types = [_word(draw, 1 + min(11, len(str(rank)) + draw.randrange(6))) for rank in range(1, _TYPES + 1)]
    weights = [(rank + 2.7) ** -1.1 for rank in range(_TYPES)]
    lengths = [max(2, min(60, round(draw.gammavariate(1.9, 7.8)))) for _ in range(count)]
    words = draw.choices(types, weights, k=sum(lengths))
    ends = [0]
    for length in lengths:
        ends.append(ends[-1] + length)
    return [tuple(words[start:end]) for start, end in itertools.pairwise(ends)]


def read(path: Path, count: int) -> list[Sentence]:
    """Return the first sentences of a text file with one sentence per line and tokens separated by spaces."""
    lines = (tuple(line.split()) for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line][:count]


def _word(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(_LETTERS, range(len(_LETTERS), 0, -1), k=length))
