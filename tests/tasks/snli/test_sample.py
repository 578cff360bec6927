"""The sample data of SNLI: the same everywhere; neither one sentence nor the words alone decide the label."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.utils.english_words import words
from tasks.snli import sample as snli
from tasks.snli.reader import LABELS, SentencePair, read_pairs
from tasks.snli.task import NaturalLanguageInference

DATA = {split: snli.pairs(split) for split in snli.SIZES}


def bag(text: str) -> list[str]:
    return sorted(set(words(text.lower())))


def accuracy(features: Callable[[SentencePair], list[str]]) -> float:
    """Return the accuracy on test of a logistic regression over binary features, trained on train."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = DictVectorizer()
    rows = {split: [dict.fromkeys(features(pair), 1) for pair in DATA[split]] for split in ("train", "test")}
    model = LogisticRegression(max_iter=2000, C=0.3)
    model.fit(vectorizer.fit_transform(rows["train"]), [pair.label for pair in DATA["train"]])
    return float(model.score(vectorizer.transform(rows["test"]), [pair.label for pair in DATA["test"]]))


def test_a_change_of_the_data_is_noticed() -> None:
    """If this digest changes, raise the version of the task, because every score on the sample data changes too."""
    text = json.dumps({split: [vars(pair) for pair in pairs] for split, pairs in DATA.items()})
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "283e454cbc6c596992983500b15ea625908e9c9cc1b69677cb8aa9171a9145e2"
    )


def test_every_call_returns_the_same_data() -> None:
    assert snli.pairs("dev") == DATA["dev"]


def test_sizes_and_labels() -> None:
    assert {split: len(pairs) for split, pairs in DATA.items()} == {"train": 1500, "dev": 300, "test": 300}
    for pairs in DATA.values():
        counts = Counter(pair.label for pair in pairs)
        assert set(counts) == set(LABELS)
        assert max(counts.values()) - min(counts.values()) <= 4
        assert len({pair.id for pair in pairs}) == len(pairs)


def test_sentences_are_english_sentences() -> None:
    for text in (text for pairs in DATA.values() for pair in pairs for text in (pair.premise, pair.hypothesis)):
        assert text[0].isupper()
        assert text[-1] == "."
        assert not set(text) & set("{}()|_")
        assert 5 <= len(words(text)) <= 20, text


def test_the_hypothesis_alone_does_not_give_the_label() -> None:
    assert accuracy(lambda pair: bag(pair.hypothesis)) < 0.43


def test_the_words_of_both_sentences_say_little_about_the_label() -> None:
    def both(pair: SentencePair) -> list[str]:
        return [f"premise {word}" for word in bag(pair.premise)] + [
            f"hypothesis {word}" for word in bag(pair.hypothesis)
        ]

    assert accuracy(both) < 0.56


def test_shared_words_say_little_about_the_label() -> None:
    def shared(pair: SentencePair) -> list[str]:
        premise, hypothesis = set(bag(pair.premise)), set(bag(pair.hypothesis))
        new = len(hypothesis - premise)
        return [f"both {word}" for word in sorted(premise & hypothesis)] + [f"new {new} of {len(hypothesis)}"]

    assert accuracy(shared) < 0.6


def test_the_same_hypothesis_has_every_label() -> None:
    """Compare hypotheses without the people in them, who are chosen at random."""
    labels: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    people = snli.PEOPLE + snli.UNSEEN_PEOPLE
    for pair in DATA["train"]:
        labels[tuple("X" if word in people else word for word in words(pair.hypothesis))][pair.label] += 1
    frequent = [counts for counts in labels.values() if counts.total() >= 12]
    assert sum(counts.total() for counts in frequent) > 0.6 * len(DATA["train"])
    assert all(set(counts) == set(LABELS) for counts in frequent)


# Written by hand: whether a statement about a kind or its wider kind follows from another one.
FOLLOWS = [
    ("every poodle", "every dog", "neutral"),
    ("every dog", "every poodle", "entailment"),
    ("every dog", "at least one poodle", "entailment"),
    ("at least one poodle", "at least one dog", "entailment"),
    ("at least one dog", "at least one poodle", "neutral"),
    ("at least one dog", "every dog", "neutral"),
    ("no dog", "no poodle", "entailment"),
    ("no poodle", "no dog", "neutral"),
    ("no poodle", "at least one dog", "neutral"),
    ("no poodle", "every dog", "contradiction"),
    ("no dog", "at least one poodle", "contradiction"),
    ("at least one poodle", "no dog", "contradiction"),
    ("at least one dog", "no poodle", "neutral"),
    ("every poodle", "no dog", "contradiction"),
]


@pytest.mark.parametrize(("premise", "hypothesis", "label"), FOLLOWS)
def test_the_label_of_two_quantified_statements_is_the_one_of_logic(premise: str, hypothesis: str, label: str) -> None:
    first, second = ((text.rpartition(" ")[0], text.endswith("dog")) for text in (premise, hypothesis))
    assert snli.follows(first, second) == label


# Labels that a person gave after reading the sentences.
READ = [
    ("The waiter knows the pilot, who answered the letter and never read the report.",
     "The waiter answered the letter.", "neutral"),
    ("The actor knows the doctor, who never answered the letter and cleaned the kitchen.",
     "The doctor answered the letter.", "contradiction"),
    ("The student knows the farmer, who fed the horse and never cleaned the kitchen.",
     "The farmer fed the horse.", "entailment"),
    ("While the guard watched, the student never watered the plants and found the key.",
     "The student found the key.", "entailment"),
    ("The nurse failed to win the game, while the guard remembered to read the report.",
     "The nurse won the game.", "contradiction"),
    ("The guard remembered to feed the horse, but the girl hoped to paint the fence.",
     "The girl painted the fence.", "neutral"),
    ("The sailor is taller than both the cook and the driver.", "The cook is taller than the driver.", "neutral"),
    ("Both the sailor and the farmer arrived before the dancer.",
     "The dancer arrived before the sailor.", "contradiction"),
    ("No rose near the lake smelled good.", "No flower near the lake smelled good.", "neutral"),
]  # fmt: skip


def test_labels_agree_with_a_reader() -> None:
    by_text = {(pair.premise, pair.hypothesis): pair.label for pair in DATA["train"]}
    for premise, hypothesis, label in READ:
        assert by_text[premise, hypothesis] == label


def test_dev_and_test_are_new_and_have_new_people() -> None:
    train = {(pair.premise, pair.hypothesis) for pair in DATA["train"]}
    seen = {word for pair in DATA["train"] for word in words(pair.premise)}
    assert not seen & set(snli.UNSEEN_PEOPLE)
    for split in ("dev", "test"):
        assert sum((pair.premise, pair.hypothesis) in train for pair in DATA[split]) < 0.05 * len(DATA[split])
        new = [pair for pair in DATA[split] if set(words(pair.premise)) & set(snli.UNSEEN_PEOPLE)]
        assert 0.1 < len(new) / len(DATA[split]) < 0.6


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        snli.pairs("trian")


def test_the_written_files_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    paths = NaturalLanguageInference(data=DataConfig()).write_sample(folder)
    assert paths == [folder / f"{split}.jsonl" for split in DATA]
    assert [read_pairs(path) for path in paths] == list(DATA.values())


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write to"):
        NaturalLanguageInference(data=DataConfig()).write_sample(tmp_path / "file")
