"""A small synthetic data set for semantic roles, in which the context decides who did what to whom.

The grammar in ``grammar.yaml`` generates it; no sentence is from a corpus. Every person may act or be acted upon. Verbs
have the same form in active and passive clauses, in relative clauses and as participles, so neither the words of an
argument nor their place before or after the verb tell its role. Some sentences have two predicates, and one in 27 has
none. Some verbs, nouns, times and places occur only in dev and test.
"""

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tasks.common.sample_data import check_split, choose, deck
from tasks.srl.reader import Frame, WithFrames

_GRAMMAR = yaml.safe_load(Path(__file__).with_name("grammar.yaml").read_text(encoding="utf-8"))
PHRASES: dict[str, list[str]] = _GRAMMAR["phrases"]
UNSEEN: dict[str, list[str]] = _GRAMMAR["unseen"]
FRAMES: list[str] = _GRAMMAR["frames"]

SIZES = {"train": 700, "dev": 250, "test": 250}
SEEDS = {"train": 41, "dev": 42, "test": 43}

_SYMBOL = re.compile(r"\{([a-z]+)\}")
_CHOICE = re.compile(r"\(([^()]+)\)")


def sentences(split: str) -> list[WithFrames]:
    """Return a split of the synthetic data, the same in every call and on every machine.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, SIZES)
    rng = random.Random(SEEDS[split])
    phrases = PHRASES
    if split != "train":
        phrases = {symbol: [*known, *UNSEEN.get(symbol, ())] for symbol, known in PHRASES.items()}
    frames = deck(FRAMES, rng)
    return [_parsed(_expanded(next(frames), phrases, rng)) for _ in range(SIZES[split])]


def _expanded(text: str, phrases: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """Replace each symbol by one of its phrases, and each ``(a|b)`` by one of its options."""
    text = _SYMBOL.sub(lambda match: choose(phrases[match[1]], rng), text)
    return _CHOICE.sub(lambda match: choose(match[1].split("|"), rng), text)


def _parsed(text: str) -> WithFrames:
    """Return the words of a text, and the predicates with the arguments that its brackets mark."""
    words: list[str] = []
    marked: list[tuple[int, int, int, str]] = []  # predicate, start, end, role
    opened: list[tuple[int, str]] = []
    for part in text.split():
        if part.startswith("["):
            opened.append((len(words), part[1:]))
        elif part == "]":
            start, mark = opened.pop()
            number, _, role = mark.partition(":")
            marked.append((int(number), start, len(words), role))
        else:
            words.append(part)
    words[0] = words[0][0].upper() + words[0][1:]
    frames = []
    for predicate in sorted({own for own, *_ in marked}):
        tags = ["O"] * len(words)
        for own, start, end, role in marked:
            if own == predicate:
                tags[start:end] = [f"B-{role}", *[f"I-{role}"] * (end - start - 1)]
        frames.append(Frame(tags.index("B-V"), tuple(tags)))
    return WithFrames(tuple(words), tuple(sorted(frames, key=lambda frame: frame.predicate)))


def conll(split: str) -> str:
    """Return a split as columns like those of CoNLL-2005: the word, the predicate, and its arguments in brackets."""
    blocks = []
    for words, frames in sentences(split):
        predicates = {frame.predicate for frame in frames}
        columns = [words, [word if i in predicates else "-" for i, word in enumerate(words)]]
        columns += [_bracketed(frame.tags or ()) for frame in frames]
        blocks.append("".join(" ".join(row) + "\n" for row in zip(*columns, strict=True)))
    return "\n".join(blocks)


def _bracketed(tags: tuple[str, ...]) -> list[str]:
    """Return BIO tags as brackets: ``(ARG0*``, ``*``, ``*)``."""
    cells = []
    for tag, following in zip(tags, (*tags[1:], "O"), strict=True):
        start = f"({tag[2:]}" if tag.startswith("B-") else ""
        end = ")" if tag != "O" and not following.startswith("I-") else ""
        cells.append(f"{start}*{end}")
    return cells
