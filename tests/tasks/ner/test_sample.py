"""The synthetic NER data: always the same; the context tells the type of a name, and the name does not."""

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from tasks.common.column_files import read_columns
from tasks.common.tag_schemes import spans
from tasks.ner import sample as ner
from tasks.ner.task import NamedEntityRecognition

DATA = {split: ner.sentences(split) for split in ner.SIZES}
ALL = [sentence for split in DATA.values() for sentence in split]


class Mention(NamedTuple):
    """An entity as three kinds of classifiers see it."""

    form: str
    window: tuple[str, str]
    context: tuple[str, ...]
    type: str
    alone: bool


def mentions(split: str) -> Iterator[Mention]:
    for tokens, tags in DATA[split]:
        padded = ("<s>", *tokens, "</s>")
        found = spans(tags, "bio")
        for start, end, kind in found:
            yield Mention(
                form=" ".join(tokens[start:end]),
                window=(padded[start], padded[end + 1]),
                context=tokens[:start] + tokens[end:],
                type=kind,
                alone=len(found) == 1,
            )


def majority_accuracy(view: str) -> float:
    """Return the accuracy on test of the best answer per form or per window of train."""
    counts: defaultdict[object, Counter[str]] = defaultdict(Counter)
    for mention in mentions("train"):
        counts[getattr(mention, view)][mention.type] += 1
    hits = [
        counts[getattr(mention, view)].most_common(1)[0][0] == mention.type
        if getattr(mention, view) in counts
        else mention.type == ner.TYPES[0]
        for mention in mentions("test")
    ]
    return sum(hits) / len(hits)


def test_the_data_never_change_unnoticed() -> None:
    """If this digest changes, every score on the sample data changes: raise the version of the task."""
    digest = hashlib.sha256(json.dumps(DATA).encode()).hexdigest()
    assert digest == "cf2cdf08ce3fa20bff2d2e0290a90211d96dab9ebb766342d40e5efc222f4206"


def test_every_call_returns_the_same_data() -> None:
    assert ner.sentences("dev") == DATA["dev"]


def test_sizes_and_lengths() -> None:
    assert {split: len(data) for split, data in DATA.items()} == {"train": 1500, "dev": 300, "test": 300}
    lengths = [len(tokens) for tokens, _ in ALL]
    assert all(len(tokens) == len(tags) for tokens, tags in ALL)
    assert min(lengths) >= 6
    assert max(lengths) <= 24
    assert sum(length <= 20 for length in lengths) / len(lengths) > 0.98


def test_every_symbol_is_replaced() -> None:
    words = {token for tokens, _ in ALL for token in tokens}
    assert not {word for word in words if any(mark in word for mark in "{}()|_ ") or not word}
    assert all(tokens[0][0].isupper() and tokens[-1] == "." for tokens, _ in ALL)


@pytest.mark.parametrize("split", DATA)
def test_types_are_balanced_and_sentences_hold_none_one_or_more(split: str) -> None:
    types = Counter(mention.type for mention in mentions(split))
    assert set(types) == set(ner.TYPES)
    assert max(types.values()) < 1.15 * min(types.values())
    entities = Counter(min(len(spans(tags, "bio")), 2) for _, tags in DATA[split])
    assert all(entities[number] > 0.1 * len(DATA[split]) for number in (0, 1, 2))
    assert sum(" " in mention.form for mention in mentions(split)) > 0.1 * types.total()


def test_every_name_is_of_every_type_about_equally_often() -> None:
    seen = Counter((mention.form, mention.type) for mention in mentions("train"))
    for name in ner.NAMES:
        counts = [seen[name, kind] for kind in ner.TYPES]
        assert min(counts) >= 8, name
        assert max(counts) < 0.45 * sum(counts), name


def test_every_name_is_sometimes_not_an_entity() -> None:
    outside = Counter(
        token for tokens, tags in DATA["train"] for token, tag in zip(tokens, tags, strict=True) if tag == "O"
    )
    assert all(outside[name.split()[0]] > 0 for name in ner.NAMES)


def test_neither_the_form_nor_its_neighbours_tell_the_type() -> None:
    assert majority_accuracy("form") < 0.45
    assert majority_accuracy("window") < 0.65


def test_the_words_of_the_sentence_tell_the_type() -> None:
    """Naive Bayes over the words around the only entity of a sentence."""
    words: dict[str, Counter[str]] = {kind: Counter() for kind in ner.TYPES}
    for mention in mentions("train"):
        words[mention.type].update(mention.context)
    size = len({word for counts in words.values() for word in counts})

    def score(kind: str, context: tuple[str, ...]) -> float:
        total = words[kind].total() + size
        return sum(math.log((words[kind][word] + 1) / total) for word in context)

    hits = [
        max(ner.TYPES, key=lambda kind: score(kind, mention.context)) == mention.type
        for mention in mentions("test")
        if mention.alone
    ]
    assert len(hits) > 150
    assert sum(hits) / len(hits) > 0.85


def test_every_frame_tells_the_type_of_its_names() -> None:
    for frame, letter in product((f for frames in ner.FRAMES.values() for f in frames), "AB"):
        assert f"{{{letter}}}" not in frame or f"{{{letter}." in frame, frame


def test_the_same_context_has_the_same_types() -> None:
    answers: dict[str, str] = {}
    for tokens, tags in ALL:
        masked = {"O": "{}", "B": "@", "I": ""}
        words = [masked[tag[0]].format(token) for token, tag in zip(tokens, tags, strict=True)]
        text = f" {' '.join(words)} "
        for name in (*ner.NAMES, *ner.UNSEEN_NAMES):
            text = text.replace(f" {name} ", " @ ")
        types = " ".join(kind for _, _, kind in spans(tags, "bio"))
        assert answers.setdefault(" ".join(text.split()), types) == types, text


def test_test_sentences_and_some_names_are_new() -> None:
    train = {tokens for tokens, _ in DATA["train"]}
    words = {token for tokens in train for token in tokens}
    unseen = {name.split()[-1] for name in ner.UNSEEN_NAMES}
    assert not words & unseen
    for split in ("dev", "test"):
        assert sum(tokens in train for tokens, _ in DATA[split]) < 0.05 * len(DATA[split])
        new = [(word, m.type) for m in mentions(split) for word in m.form.split() if word in unseen]
        assert set(new) == set(product(unseen, ner.TYPES))
        assert 0.1 < len(new) / len(list(mentions(split))) < 0.3


def test_an_unknown_split_is_an_error() -> None:
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        ner.sentences("trian")


def test_the_written_files_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    task = NamedEntityRecognition(data=DataConfig())
    assert task.write_sample(folder) == [folder / f"{split}.conll" for split in DATA]
    for split, data in DATA.items():
        read = read_columns(folder / f"{split}.conll")
        assert [(sentence.tokens, sentence.tags) for sentence in read] == data


def test_a_folder_that_cannot_be_written_to_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^cannot write to .*; name a folder"):
        NamedEntityRecognition(data=DataConfig()).write_sample(tmp_path / "file")
