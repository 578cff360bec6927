"""A small synthetic data set for word senses, in which the words around a word tell its sense.

The inventory in ``inventory.yaml`` was invented for this project; no sentence is from a corpus. The senses of a lemma
are equally frequent, so its first sense is often wrong. Some sentence frames, and the lemmas seal and crane, are in dev
and test only.
"""

import random
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import yaml

from harness.types import Example, Split
from tasks.common.sample_data import check_split, choose, deck, write_sample_files
from tasks.wsd.reader import SentenceReader
from tasks.wsd.senses import Lemma, SenseIndex, lemma_of

SIZES = {"train": 400, "dev": 200, "test": 200}
SEEDS = {"train": 21, "dev": 22, "test": 23}
UNSEEN = ("seal NOUN", "crane NOUN")  # lemmas of dev and test only
JOINTS = ("and", "but")

_FEW = 2  # frames of a sense that are all used in training
_CHOICE = re.compile(r"\(([^()]+)\)")
_INVENTORY: dict[str, dict[str, list[str]]] = yaml.safe_load(
    Path(__file__).with_name("inventory.yaml").read_text(encoding="utf-8")
)
SENSES: dict[Lemma, tuple[str, ...]] = {
    (name.split()[0], name.split()[1]): tuple(senses) for name, senses in _INVENTORY.items()
}


class Token(NamedTuple):
    """A token of a sentence; ``sense`` is empty if it is not tagged."""

    text: str
    sense: str = ""


def sentences(split: str) -> list[list[Token]]:
    """Return a split of the synthetic data, the same in every call and on every machine.

    Raises:
        ConfigError: There is no such split.
    """
    check_split(split, SIZES)
    rng = random.Random(SEEDS[split])
    frames = {
        key: deck(texts if split != "train" or len(texts) <= _FEW else texts[:-1], rng)
        for name, senses in _INVENTORY.items()
        for key, texts in senses.items()
        if split != "train" or name not in UNSEEN
    }
    keys, clauses = deck(list(frames), rng), deck((1, 2), rng)
    return [_sentence([next(keys) for _ in range(next(clauses))], frames, rng) for _ in range(SIZES[split])]


def _sentence(keys: list[str], frames: dict[str, Iterator[str]], rng: random.Random) -> list[Token]:
    """Return a sentence with a clause for each of these senses."""
    clauses = [_clause(next(frames[key]), key, rng) for key in keys]
    words = clauses[0]
    for clause in clauses[1:]:
        words = [*words, Token(choose(JOINTS, rng)), *clause]
    first = words[0]
    return [first._replace(text=first.text[0].upper() + first.text[1:]), *words[1:], Token(".")]


def _clause(frame: str, key: str, rng: random.Random) -> list[Token]:
    """Return the tokens of a frame, one of which has the sense."""
    text = _CHOICE.sub(lambda match: choose(match[1].split("|"), rng), frame)
    return [Token(word[1:-1], key) if word.startswith("{") else Token(word) for word in text.split()]


def examples(split: Split) -> list[Example]:
    """Return a split as examples; ``xml`` and ``gold_keys`` write the same."""
    found = []
    for number, sentence in enumerate(sentences(split)):
        own_id = f"{split}.s{number}"
        reader = SentenceReader(own_id)
        for place, token in enumerate(sentence):
            senses = (token.sense,) if token.sense else ()
            reader.add(token.text, lemma_of(token.sense), instance=f"{own_id}.t{place}", senses=senses)
        found.append(reader.example())
    return found


def xml(split: Split) -> str:
    """Return a split as the content of an XML file of the evaluation framework."""
    lines = ['<?xml version="1.0" encoding="UTF-8" ?>', '<corpus lang="en" source="sample">', f'<text id="{split}">']
    for number, sentence in enumerate(sentences(split)):
        own_id = f"{split}.s{number}"
        lines.append(f'<sentence id="{own_id}">')
        for place, token in enumerate(sentence):
            text = escape(token.text.replace("_", " "))
            if lemma := lemma_of(token.sense):
                attributes = f'id="{own_id}.t{place}" lemma="{lemma[0]}" pos="{lemma[1]}"'
                lines.append(f"<instance {attributes}>{text}</instance>")
            else:
                lines.append(f"<wf>{text}</wf>")
        lines.append("</sentence>")
    return "\n".join([*lines, "</text>", "</corpus>", ""])


def gold_keys(split: Split) -> str:
    """Return the senses of a split as the content of a file of keys."""
    words = chain.from_iterable(example.target for example in examples(split))
    return "".join(f"{word.id} {' '.join(word.senses)}\n" for word in words)


def write(folder: Path) -> list[Path]:
    """Write the XML file and the keys of each split, and the sense index; return their paths."""
    index = SenseIndex(SENSES)
    numbered = ((key, place) for keys in index.senses.values() for place, key in enumerate(keys, start=1))
    lines = "".join(sorted(f"{key} 00000000 {place} 0\n" for key, place in numbered))
    return [
        *write_sample_files(folder, suffix=".sense", text=lambda _: lines, names=("index",)),
        *write_sample_files(folder, suffix=".gold.key.txt", text=gold_keys),
        *write_sample_files(folder, suffix=".data.xml", text=xml),
    ]
