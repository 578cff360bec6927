"""The sample data of SST-5: the same everywhere; the order of the words decides the label."""

import hashlib
import json
import math
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from tasks.sst5 import sample as sst5
from tasks.sst5.reader import Tree, parse_tree, read_trees
from tasks.sst5.task import SentimentTreebank

LINES = {split: sst5.lines(split) for split in sst5.SIZES}
DATA = {split: [parse_tree(line, where=split) for line in lines] for split, lines in LINES.items()}
ALL = [tree for trees in DATA.values() for tree in trees]


def label(tree: Tree) -> int:
    return tree.phrases[0].label


def bag_of_words_accuracy(order: int) -> float:
    """Return the accuracy on test of naive Bayes, trained on the n-grams of train up to this order."""

    def parts(tree: Tree) -> list[tuple[str, ...]]:
        words = ["<s>", *(token.lower() for token in tree.tokens)]
        return [tuple(words[i : i + n]) for n in range(1, order + 1) for i in range(len(words) - n + 1)]

    counts: defaultdict[int, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for tree in DATA["train"]:
        counts[label(tree)].update(parts(tree))
    size = len(set().union(*counts.values()))

    def score(kind: int, tree: Tree) -> float:
        total = counts[kind].total() + size
        return sum(math.log((counts[kind][part] + 1) / total) for part in parts(tree))

    hits = [max(range(5), key=lambda kind: score(kind, tree)) == label(tree) for tree in DATA["test"]]
    return sum(hits) / len(hits)


def test_a_change_of_the_data_is_noticed() -> None:
    """If this digest changes, raise the version of the task, because every score on the sample data changes too."""
    digest = hashlib.sha256(json.dumps(LINES).encode()).hexdigest()
    assert digest == "fb0a37964308b84a3cf6fc7a4e0949356cd295e4cb9b856afe8541267e5be7fa"


def test_every_call_returns_the_same_data() -> None:
    assert sst5.lines("dev") == LINES["dev"]


def test_sizes_lengths_and_balance() -> None:
    assert {split: len(trees) for split, trees in DATA.items()} == {"train": 700, "dev": 300, "test": 300}
    lengths = [len(tree.tokens) for tree in ALL]
    assert min(lengths) >= 5
    assert max(lengths) <= 36
    for trees in DATA.values():
        assert set(Counter(map(label, trees)).values()) == {len(trees) // 5}


def test_trees_are_binary_and_sentences_look_like_sentences() -> None:
    for tree in ALL:
        assert len(tree.phrases) == 2 * len(tree.tokens) - 1
        assert tree.tokens[0][0].isupper()
        assert tree.tokens[-1] == "."
    words = {token for tree in ALL for token in tree.tokens}
    assert {"(", ")", "writer/director"} <= words  # the sample has the same escapes as the published files
    assert not [word for word in words if "-LRB-" in word or "\\" in word or "_" in word]


def test_a_sentence_repeats_no_subject_and_has_one_tense() -> None:
    for tree in ALL:
        text = f" {' '.join(tree.tokens).lower()} "
        assert all(text.count(f" {subject} ") <= 1 for subject in sst5.SUBJECTS), text
        assert not ({"is", "was"} <= set(tree.tokens)), text


def test_a_bag_of_words_has_low_accuracy() -> None:
    assert bag_of_words_accuracy(1) < 0.5
    assert bag_of_words_accuracy(2) < 0.55


def test_the_more_important_of_two_clauses_decides() -> None:
    """The words show which clause is more important; its label is that of the same clause in any tree."""
    labels = {" ".join(t.tokens[p.start : p.end]).lower(): p.label for t in ALL for p in t.phrases}
    sides: Counter[str] = Counter()
    for tree in ALL:
        text = " ".join(tree.tokens).lower().removesuffix(" .").partition(" (")[0]
        first, comma, second = text.partition(" , ")
        if not comma:
            continue
        if first.startswith(sst5.CONCESSIVE):
            main, minor = second, first
        elif second.startswith(sst5.CONCESSIVE):
            main, minor = first, second
        else:
            # The longest one, because "but then" starts with "but" too.
            joiner = max((one for one in sst5.BEFORE_MAIN if second.startswith(f"{one} ")), key=len)
            main, minor = second.removeprefix(f"{joiner} "), first
        assert label(tree) == labels[main], text
        assert labels[minor] != labels[main], text
        sides["first" if main == first else "second"] += 1
    assert sides.total() > 0.6 * len(ALL)
    assert min(sides.values()) > 0.2 * sides.total()


def test_every_operator_occurs_and_none_decides_the_label() -> None:
    groups = {
        "negators": sst5.NEGATORS,
        "intensifiers": sst5.INTENSIFIERS,
        "denials": sst5.DENIALS,
        "assertions": sst5.ASSERTIONS,
        "reversers": sst5.REVERSERS,
        "contrast": (*sst5.BEFORE_MAIN, *sst5.CONCESSIVE),
    }
    for name, phrases in groups.items():
        with_one = [tree for tree in ALL if any(f" {p} " in f" {' '.join(tree.tokens).lower()} " for p in phrases)]
        counts = Counter(map(label, with_one))
        assert len(with_one) > 0.04 * len(ALL), name
        assert max(counts.values()) < 0.45 * len(with_one), name


@pytest.mark.parametrize("value", [1, -1, 2, -2])
def test_an_adjective_alone_says_little_about_the_sentence(value: int) -> None:
    words = set(sst5.ADJECTIVES[value])
    with_one = [tree for tree in DATA["train"] if words & set(tree.tokens)]
    counts = Counter(label(tree) for tree in with_one)
    assert len(with_one) > 100
    assert max(counts.values()) < 0.5 * len(with_one)


def test_equal_phrases_have_equal_labels() -> None:
    """The label of a phrase depends only on its words, so phrases are correct training examples."""
    labels: dict[tuple[str, ...], int] = {}
    for tree in ALL:
        for phrase in tree.phrases:
            words = tuple(word.lower() for word in tree.tokens[phrase.start : phrase.end])
            assert labels.setdefault(words, phrase.label) == phrase.label, words


def test_labels_agree_with_labels_by_hand() -> None:
    labels = {" ".join(tree.tokens[p.start : p.end]).lower(): p.label - 2 for tree in ALL for p in tree.phrases}
    for text, value in {
        "dull": -1,
        "very dull": -2,
        "not dull": 1,
        "superb": 2,
        "almost superb": 1,
        "not superb": None,  # not in the grammar
        "anything but funny": -2,
        "nothing if not superb": 2,
        "not very funny": -1,
        "set in vienna": 0,
    }.items():
        assert labels.get(text) == value, text


def test_test_sentences_and_some_words_are_new() -> None:
    train = {tree.tokens for tree in DATA["train"]}
    words = {token for tokens in train for token in tokens}
    unseen = {word for more in sst5.UNSEEN_ADJECTIVES.values() for word in more}
    assert not words & unseen
    for split in ("dev", "test"):
        assert sum(tree.tokens in train for tree in DATA[split]) < 0.05 * len(DATA[split])
        assert unseen <= {token for tree in DATA[split] for token in tree.tokens}


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        sst5.lines("trian")


def test_the_written_files_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    paths = SentimentTreebank(data=DataConfig()).write_sample(folder)
    assert paths == [folder / f"{split}.txt" for split in DATA]
    assert [read_trees(path) for path in paths] == list(DATA.values())


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write to"):
        SentimentTreebank(data=DataConfig()).write_sample(tmp_path / "file")
