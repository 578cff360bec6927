"""A small synthetic data set for named entities: persons (PER), places (LOC) and organisations (ORG).

The grammar in ``grammar.yaml`` generates it; no sentence is from a corpus. The same names (Jordan, Paris, Lincoln) are
persons, places and organisations, equally often. Therefore only the context tells the type of a name, and the deciding
word is often several tokens away. A name that is part of a thing (a Lincoln penny) is not an entity. Some names occur
only in dev and test.
"""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from harness.types import Sentence
from tasks.common.sample_data import check_split, choose, deck
from tasks.common.tag_schemes import Span, encode

_GRAMMAR = yaml.safe_load(Path(__file__).with_name("grammar.yaml").read_text(encoding="utf-8"))
NAMES: list[str] = _GRAMMAR["names"]
UNSEEN_NAMES: list[str] = _GRAMMAR["unseen_names"]
LONG: dict[str, list[str]] = _GRAMMAR["long"]
PHRASES: dict[str, list[str]] = _GRAMMAR["phrases"]
FRAMES: dict[str, list[str]] = _GRAMMAR["frames"]

SIZES = {"train": 1500, "dev": 300, "test": 300}
SEEDS = {"train": 1, "dev": 2, "test": 3}
TYPES = ("PER", "LOC", "ORG")

LONG_EVERY = 8  # one mention in so many has a longer name
# The number of sentences of each kind in twenty sentences.
MIX = ("far",) * 10 + ("near",) * 3 + ("pair",) * 4 + ("thing",) * 2 + ("none",)

_SYMBOL = re.compile(r"\{([A-Za-z.]+)\}")
_CHOICE = re.compile(r"\(([^()]+)\)")


def sentences(split: str) -> list[tuple[Sentence, tuple[str, ...]]]:
    """Return a split of the synthetic data, the same in every call and on every machine.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Returns:
        The tokens and the BIO tags of each sentence.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, SIZES)
    rng = random.Random(SEEDS[split])
    names = NAMES if split == "train" else NAMES + UNSEEN_NAMES
    kinds = deck(MIX, rng)
    frames = {kind: deck(texts, rng) for kind, texts in FRAMES.items()}
    types = deck(TYPES, rng)
    mentions = {kind: _mentions(kind, names, rng) for kind in (*TYPES, "NAME")}
    result = []
    for _ in range(SIZES[split]):
        frame = next(frames[next(kinds)])
        for letter in ("{A", "{B"):
            if letter in frame:
                frame = frame.replace(letter, "{" + next(types))
        result.append(_fill(_expand(frame, rng), mentions))
    return result


def _mentions(kind: str, names: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Yield the names of one type without end, sometimes in a longer form."""
    forms = deck(("X",) * (LONG_EVERY - 1) + ("",), rng)
    longer = deck(LONG.get(kind, ("X",)), rng)
    for name, form in zip(deck(names, rng), forms, strict=False):
        yield (form or next(longer)).replace("X", name)


def _expand(text: str, rng: random.Random) -> str:
    """Replace each symbol by one of its phrases and each ``(a|b)`` by one of its options, but keep entities."""

    def phrase(match: re.Match[str]) -> str:
        return choose(PHRASES[match[1]], rng) if match[1] in PHRASES else match[0]

    return _CHOICE.sub(lambda match: choose(match[1].split("|"), rng), _SYMBOL.sub(phrase, text))


def _fill(text: str, mentions: dict[str, Iterator[str]]) -> tuple[Sentence, tuple[str, ...]]:
    """Replace ``{PER}``, ``{LOC}``, ``{ORG}`` and ``{NAME}`` by names; return tokens and tags."""
    tokens: list[str] = []
    tags: list[str] = []
    for word in text.split():
        kind = word[1:-1] if word.startswith("{") else ""
        words = next(mentions[kind]).split() if kind else [word]
        entity = [Span(0, len(words), kind)] if kind in TYPES else []
        tokens += words
        tags += encode(entity, len(words), "bio")
    tokens[0] = tokens[0][0].upper() + tokens[0][1:]
    return tuple(tokens), tuple(tags)


def conll(split: str) -> str:
    """Return a split as the content of a CoNLL column file."""
    pairs = [zip(*sentence, strict=True) for sentence in sentences(split)]
    return "\n".join("".join(f"{token} {tag}\n" for token, tag in pair) for pair in pairs)
