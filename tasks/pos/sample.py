"""A small synthetic data set for parts of speech, in which the form of a word does not tell its tag.

The grammar in ``grammar.yaml`` generates it; no sentence is from a corpus. Twenty forms (level, sound, double) are
nouns, verbs and adjectives equally often, and function words (that, to, her, before, have, like) have two or three
uses. Only the words around them, sometimes several tokens away, tell the tag. Four forms occur only in dev and test.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml

from harness.types import Sentence
from tasks.common.sample_data import check_split, choose, deck

_GRAMMAR = yaml.safe_load(Path(__file__).with_name("grammar.yaml").read_text(encoding="utf-8"))
FORMS: list[str] = _GRAMMAR["forms"]
UNSEEN_FORMS: list[str] = _GRAMMAR["unseen_forms"]
WORDS: dict[str, str] = _GRAMMAR["words"]
USES: dict[str, str] = _GRAMMAR["uses"]
SLOTS: dict[str, list[str]] = _GRAMMAR["slots"]
FRAMES: list[str] = _GRAMMAR["frames"]

SIZES = {"train": 1500, "dev": 300, "test": 300}
SEEDS = {"train": 11, "dev": 12, "test": 13}

CLAUSES = (1, 2, 2)  # number of frames in a sentence
JOINT = " (and|but) "

_CHOICE = re.compile(r"\(([^()]+)\)")
_LEXICON = {word: tags for tags, words in WORDS.items() for word in words.split()}


def tagged(split: str, tagset: Literal["upos", "xpos"] = "upos") -> list[tuple[Sentence, tuple[str, ...]]]:
    """Return a split with one kind of tags.

    Args:
        split: ``train``, ``dev`` or ``test``.
        tagset: ``upos`` for universal tags, ``xpos`` for English tags.

    Returns:
        The words and the tags of each sentence.

    Raises:
        ConfigError: There is no such split.
    """
    column = {"upos": 0, "xpos": 1}[tagset]
    return [
        (tuple(word for word, _ in sentence), tuple(tags.split()[column] for _, tags in sentence))
        for sentence in sentences(split)
    ]


def sentences(split: str) -> list[list[tuple[str, str]]]:
    """Return a split of the synthetic data, the same in every call and on every machine.

    Args:
        split: ``train``, ``dev`` or ``test``.

    Returns:
        The words of each sentence, each with its universal and its English tag, separated by a space.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, SIZES)
    rng = random.Random(SEEDS[split])
    forms = FORMS if split == "train" else FORMS + UNSEEN_FORMS
    decks = {slot: deck(forms, rng) for slot in SLOTS}
    frames, clauses = deck(FRAMES, rng), deck(CLAUSES, rng)
    return [_fill(JOINT.join(next(frames) for _ in range(next(clauses))), decks, rng) for _ in range(SIZES[split])]


def _fill(frame: str, decks: dict[str, Iterator[str]], rng: random.Random) -> list[tuple[str, str]]:
    """Return the words and tags of a sentence that consists of one or two frames."""
    words = []
    for word in _CHOICE.sub(lambda match: choose(match[1].split("|"), rng), re.sub(r" [.?](?= )", " ,", frame)).split():
        if word.startswith("{"):
            ending, tags = SLOTS[word[1:-1]]
            words.append((next(decks[word[1:-1]]) + ending, tags))
        elif word in USES:
            words.append((word.partition("=")[0], USES[word]))
        else:
            words.append((word, _LEXICON[word]))
    first, tags = words[0]
    return [(first[0].upper() + first[1:], tags), *words[1:]]


def conllu(split: str) -> str:
    """Return a split as the content of a CoNLL-U file, without lemmas, features and relations."""
    blocks = []
    for i, sentence in enumerate(sentences(split)):
        lines = [f"# sent_id = {split}-{i}", f"# text = {' '.join(word for word, _ in sentence)}"]
        for number, (word, tags) in enumerate(sentence, start=1):
            lines.append("\t".join([str(number), word, "_", *tags.split(), *"_____"]))
        blocks.append("\n".join(lines) + "\n\n")
    return "".join(blocks)
