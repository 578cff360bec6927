"""Sentences to measure an encoder on: synthetic, with lengths and repeated words about as in news text."""

import itertools
import random
from pathlib import Path

from harness.types import Sentence

_TYPES = 30_000
_LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


def drawn(count: int, *, seed: int = 0) -> list[Sentence]:
    """Draw sentences of 2 to 60 words, 14.5 in the mean, as in CoNLL-2003.

    Words are drawn by Zipf's law from 30,000 made-up ones, frequent words being the shorter: 600 sentences have about
    8,700 tokens, about a third of them types.
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
    """Read sentences of a text file, one a line, tokens parted by blanks."""
    lines = (tuple(line.split()) for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line][:count]


def _word(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(_LETTERS, range(len(_LETTERS), 0, -1), k=length))
