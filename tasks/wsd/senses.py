"""Sense keys of WordNet (``bank%1:17:01::``), and the sense index, which lists the senses of each lemma in order.

Source: WordNet's manual, senseidx(5WN). The senses of a lemma are ordered by how often they occur in tagged text.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path

from harness.errors import DataFormatError
from harness.utils.text_files import numbered_lines

Lemma = tuple[str, str]  # a lemma in lower case, and its part of speech

# By the first digit of a key. Adjectives have two kinds in WordNet, whose senses are numbered together.
PARTS_OF_SPEECH = {"1": "NOUN", "2": "VERB", "3": "ADJ", "4": "ADV", "5": "ADJ"}
_KEY = re.compile(r"([^\s%]+)%([1-5]):\d+:\d+:[^\s:]*:\d*")
_FORM = "KEY OFFSET NUMBER COUNT, as in WordNet's index.sense"


def lemma_of(key: str) -> Lemma | None:
    """Return the lemma and the part of speech of a sense key, or None if it is none."""
    match = _KEY.fullmatch(key)
    return (match[1], PARTS_OF_SPEECH[match[2]]) if match else None


class SenseIndex:
    """The senses of each lemma and part of speech, in the order of WordNet.

    Args:
        senses: For each lemma, its sense keys; the first is the most frequent sense.
    """

    def __init__(self, senses: Mapping[Lemma, Collection[str]]) -> None:
        self.senses = {lemma: tuple(keys) for lemma, keys in senses.items()}
        self._known = {key for keys in self.senses.values() for key in keys}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the senses in their order."""
        lines = sorted(" ".join(keys) for keys in self.senses.values())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def first_senses(self) -> tuple[str, ...]:
        """The first sense of each lemma."""
        return tuple(keys[0] for keys in self.senses.values())


@lru_cache(maxsize=1)  # the runs of a sweep share it
def read_sense_index(path: Path) -> SenseIndex:
    """Read WordNet's ``index.sense``, plain or ``.gz``.

    On each line is a sense key, an offset, the number of the sense among those of the lemma, and a count.

    Raises:
        DataFormatError: The file is missing or has no sense, or a line is not in this format or repeats a key.
    """
    found: defaultdict[Lemma, dict[str, int]] = defaultdict(dict)
    for number, line in numbered_lines(path):
        columns = line.split()
        if not columns:
            continue
        lemma = lemma_of(columns[0])
        if len(columns) not in (3, 4) or lemma is None or not columns[2].isdecimal():
            raise DataFormatError(f"{path}:{number}: '{line:.80}' is no line of a sense index; give {_FORM}")
        if columns[0] in found[lemma]:
            raise DataFormatError(f"{path}:{number}: the sense key {columns[0]} is there twice; remove one line")
        found[lemma][columns[0]] = int(columns[2])
    if not found:
        raise DataFormatError(f"{path}: no senses in it; give lines of {_FORM}")
    return SenseIndex({lemma: sorted(numbers, key=numbers.__getitem__) for lemma, numbers in found.items()})


def by_lemma(keys: Iterable[str]) -> dict[Lemma, list[str]]:
    """Return the sense keys of each lemma and part of speech, in the given order."""
    found: defaultdict[Lemma, list[str]] = defaultdict(list)
    for key in keys:
        lemma = lemma_of(key)
        assert lemma is not None
        found[lemma].append(key)
    return dict(found)
