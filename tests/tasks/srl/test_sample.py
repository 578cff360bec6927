"""The synthetic data of semantic roles: always the same, and neither words nor places tell the roles."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from tasks.common.tag_schemes import spans
from tasks.srl import sample
from tasks.srl.reader import read_frames
from tasks.srl.task import SemanticRoleLabelling

DATA = {split: sample.sentences(split) for split in sample.SIZES}
CORE = ("ARG0", "ARG1", "ARG2")


def test_the_data_never_change_unnoticed() -> None:
    """If this digest changes, every score on the sample data changes: raise the version of the task."""
    digest = hashlib.sha256(json.dumps(DATA).encode()).hexdigest()
    assert digest == "7a08df5ddac97831e532347bae6ae01120b34eb699ee2ec0b538527e5a590898"


def test_every_call_returns_the_same_data_and_an_unknown_split_is_an_error() -> None:
    assert sample.sentences("dev") == DATA["dev"]
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        sample.sentences("trian")


def test_sizes_and_kinds_of_sentences() -> None:
    assert {split: len(data) for split, data in DATA.items()} == sample.SIZES
    predicates = Counter(len(sentence.frames) for sentence in DATA["train"])
    assert set(predicates) == {0, 1, 2}
    assert predicates[2] > 0.25 * len(DATA["train"])
    assert 0.02 < predicates[0] / len(DATA["train"]) < 0.06
    lengths = [len(sentence.words) for data in DATA.values() for sentence in data]
    assert (min(lengths) >= 4, max(lengths) <= 40) == (True, True)


def test_every_symbol_is_replaced_and_every_tag_is_bio() -> None:
    for words, frames in (sentence for data in DATA.values() for sentence in data):
        assert not {word for word in words if any(mark in word for mark in "{}()|[]:") or not word}
        for frame in frames:
            marked = [span.type for span in spans(frame.tags or (), "bio")]
            assert marked.count("V") == 1
            assert (frame.tags or ())[frame.predicate] == "B-V"


class Seen(NamedTuple):
    """An argument as classifiers see it."""

    words: tuple[str, ...]
    first: str
    verb: str
    distance: int
    passive: bool


def seen_of(words: tuple[str, ...], predicate: int, start: int, end: int) -> Seen:
    passive = bool({"was", "be"} & set(words[max(0, predicate - 2) : predicate]))
    return Seen(words[start:end], words[start], words[predicate], start - predicate, passive)


def majority(view: Callable[[Seen], Hashable]) -> float:
    """Return how often the commonest role in train of what a view sees of an argument is its role in test."""
    seen: dict[str, list[tuple[Hashable, str]]] = {}
    for split in ("train", "test"):
        seen[split] = [
            (view(seen_of(words, frame.predicate, start, end)), role)
            for words, frames in DATA[split]
            for frame in frames
            for start, end, role in spans(frame.tags or (), "bio")
            if role in CORE
        ]
    counts: defaultdict[Hashable, Counter[str]] = defaultdict(Counter)
    for what, role in seen["train"]:
        counts[what][role] += 1
    hits = [what in counts and counts[what].most_common(1)[0][0] == role for what, role in seen["test"]]
    return sum(hits) / len(hits)


def test_neither_the_words_nor_the_place_of_an_argument_tell_its_role() -> None:
    assert majority(lambda seen: seen.words) < 0.4
    assert majority(lambda seen: (seen.distance < 0, seen.verb)) < 0.5
    assert majority(lambda seen: seen.distance) < 0.65


def test_the_place_and_the_auxiliary_together_tell_most() -> None:
    together = majority(lambda seen: (seen.passive, seen.first, seen.distance < 0))
    assert together > majority(lambda seen: seen.distance < 0) + 0.1


def test_some_verbs_and_nouns_are_only_in_dev_and_test() -> None:
    known = {word for words, _ in DATA["train"] for word in words}
    verbs = [words[frame.predicate] for words, frames in DATA["test"] for frame in frames]
    assert 0.1 < sum(verb not in known for verb in verbs) / len(verbs) < 0.6
    train = {words for words, _ in DATA["train"]}
    assert sum(words in train for words, _ in DATA["test"]) < 0.05 * len(DATA["test"])


def test_the_written_files_read_back(tmp_path: Path) -> None:
    paths = SemanticRoleLabelling(data=DataConfig()).write_sample(tmp_path)
    assert [path.name for path in paths] == ["train.conll", "dev.conll", "test.conll"]
    for path, data in zip(paths, DATA.values(), strict=True):
        assert read_frames(path) == data
