"""The synthetic part-of-speech data: always the same; the context tells the tag of a form, and the form does not."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from tasks.pos import sample as pos
from tasks.pos.reader import read_conllu
from tasks.pos.task import PosTagging

DATA = {split: pos.tagged(split) for split in pos.SIZES}
ALL = [sentence for split in DATA.values() for sentence in split]
FORMS = {form + ending for form in (*pos.FORMS, *pos.UNSEEN_FORMS) for ending in ("", "s")}

View = Callable[[tuple[str, ...], int], object]
VIEWS: dict[str, View] = {
    "word": lambda words, i: words[i],
    "before": lambda words, i: words[i - 1],
    "before and word": lambda words, i: words[i - 1 : i + 1],
}


def majority_accuracy(view: View, *, forms_alone: bool) -> float:
    """Return the accuracy on test of the best answer per view in train."""
    counts: defaultdict[object, Counter[str]] = defaultdict(Counter)
    hits = []
    for split in ("train", "test"):
        for tokens, tags in DATA[split]:
            words = ("<s>", *(token.lower() for token in tokens))
            for i, tag in enumerate(tags, start=1):
                if split == "train":
                    counts[view(words, i)][tag] += 1
                elif words[i] in FORMS or not forms_alone:
                    hits.append(view(words, i) in counts and counts[view(words, i)].most_common(1)[0][0] == tag)
    return sum(hits) / len(hits)


def test_the_data_never_change_unnoticed() -> None:
    """If this digest changes, every score on the sample data changes: raise the version of the task."""
    data = {split: pos.sentences(split) for split in pos.SIZES}
    digest = hashlib.sha256(json.dumps(data).encode()).hexdigest()
    assert digest == "20270266f8b907379f3f41fe7b236127ec5aa3eb4d286fe12030a15b2436e4de"


def test_every_call_returns_the_same_data() -> None:
    assert pos.tagged("dev") == DATA["dev"]


def test_sizes_and_lengths() -> None:
    assert {split: len(data) for split, data in DATA.items()} == {"train": 1500, "dev": 300, "test": 300}
    assert all(len(tokens) == len(tags) for tokens, tags in ALL)
    lengths = [len(tokens) for tokens, _ in ALL]
    assert (min(lengths), max(lengths)) == (5, 27)


def test_every_slot_is_replaced_and_sentences_start_and_end_correctly() -> None:
    words = {token for tokens, _ in ALL for token in tokens}
    assert not {word for word in words if not re.fullmatch(r"[A-Za-z]+|[.,?]", word)}
    assert all(tokens[0][0].isupper() and tokens[-1] in ".?" for tokens, _ in ALL)
    assert all(not word[0].isupper() for tokens, _ in ALL for word in tokens[1:])
    assert all(tokens.count(".") + tokens.count("?") == 1 for tokens, _ in ALL)


def test_every_frame_is_of_known_words_and_is_used() -> None:
    listed = Counter(word for words in pos.WORDS.values() for word in words.split())
    assert max(listed.values()) == 1
    ambiguous = {use.partition("=")[0] for use in pos.USES}
    assert not (set(listed) & (FORMS | ambiguous))
    for frame in pos.FRAMES:
        for word in re.sub(r"[(|)]", " ", frame).split():
            assert word in listed or word in pos.USES or word.strip("{}") in pos.SLOTS, f"{word} in {frame}"
    assert set(listed) <= {word.lower() for tokens, _ in ALL for word in tokens}


def test_forms_and_function_words_have_their_uses_about_equally_often() -> None:
    seen = Counter(
        (word.lower(), tag) for tokens, tags in DATA["train"] for word, tag in zip(tokens, tags, strict=True)
    )
    for form in pos.FORMS:
        counts = [seen[form, tag] for tag in ("NOUN", "VERB", "ADJ")]
        assert max(counts) < 0.5 * sum(counts), form
        assert min(counts) > 0.2 * sum(counts), form
        assert min(seen[f"{form}s", tag] for tag in ("NOUN", "VERB")) > 5
    for word, tags in {"that": 3, "to": 2, "before": 2, "like": 2, "have": 2}.items():
        uses = [count for (one, _), count in seen.items() if one == word]
        assert len(uses) == tags
        assert min(uses) > 0.2 * sum(uses), word


def test_english_tags_distinguish_more_uses() -> None:
    english = {tag for _, tags in pos.tagged("train", "xpos") for tag in tags}
    assert {"NN", "NNS", "VB", "VBP", "VBZ", "JJ", "PRP", "PRP$", "TO", "IN", "WDT", "MD"} <= english
    pairs = {(u, x) for s in pos.sentences("train") for _, tags in s for u, x in [tags.split()]}
    assert {x for _, x in pairs if sum(x == other for _, other in pairs) > 1} == {"DT", "IN", "VBD", "VBP", "VBZ"}


@pytest.mark.parametrize(
    ("view", "everywhere", "forms"), [("word", 0.88, 0.5), ("before", 0.75, 0.6), ("before and word", 0.9, 0.7)]
)
def test_neither_the_word_nor_the_one_before_tells_the_tag(view: str, everywhere: float, forms: float) -> None:
    assert majority_accuracy(VIEWS[view], forms_alone=False) < everywhere
    assert majority_accuracy(VIEWS[view], forms_alone=True) < forms


def test_the_same_sentence_has_the_same_tags() -> None:
    answers: dict[tuple[str, ...], tuple[str, ...]] = {}
    for tokens, tags in ALL:
        assert answers.setdefault(tokens, tags) == tags, tokens


def test_test_sentences_and_some_forms_are_new() -> None:
    train = {tokens for tokens, _ in DATA["train"]}
    words = {token.lower() for tokens in train for token in tokens}
    assert not words & {form + ending for form in pos.UNSEEN_FORMS for ending in ("", "s")}
    for split in ("dev", "test"):
        assert sum(tokens in train for tokens, _ in DATA[split]) < 0.05 * len(DATA[split])
        new = [word.lower() for tokens, _ in DATA[split] for word in tokens if word.lower() not in words]
        assert {word for word in new if not word.endswith("s")} == set(pos.UNSEEN_FORMS)


def test_an_unknown_split_is_an_error() -> None:
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        pos.sentences("trian")


@pytest.mark.parametrize("tagset", ["upos", "xpos"])
def test_the_written_files_read_back(tagset: str, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert PosTagging(data=DataConfig()).write_sample(folder) == [folder / f"{split}.conllu" for split in DATA]
    for split in DATA:
        path = folder / f"{split}.conllu"
        assert read_conllu(path, tagset) == pos.tagged(split, tagset)  # type: ignore[arg-type]
