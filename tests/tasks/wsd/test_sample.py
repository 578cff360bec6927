"""The synthetic data for word senses: always the same; the words around a word tell its sense, the word does not."""

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from harness.config.schema import DataConfig
from harness.errors import ConfigError
from harness.types import SPLITS
from tasks.wsd import sample
from tasks.wsd.senses import lemma_of
from tasks.wsd.task import WordSenses

DATA = {split: sample.sentences(split) for split in SPLITS}


def test_the_data_never_change_unnoticed() -> None:
    """If this digest changes, every score on the sample data changes: raise the version of the task."""
    texts = "".join(sample.xml(split) + sample.gold_keys(split) for split in SPLITS)
    digest = hashlib.sha256(texts.encode()).hexdigest()
    assert digest == "6abd2396532db0e6e10320d13c2a6461926beb423b888bf4f931a2c680937b3e"


def test_every_call_returns_the_same_data() -> None:
    assert sample.sentences("dev") == DATA["dev"]
    with pytest.raises(ConfigError, match="no split 'tset' in the sample data; did you mean 'test'"):
        sample.sentences("tset")


def test_sentences_are_whole() -> None:
    for sentence in (one for split in DATA.values() for one in split):
        text = " ".join(token.text for token in sentence)
        assert not set("{}()|") & set(text), text
        assert text[0].isupper()
        assert text.endswith(" .")
        assert any(token.sense for token in sentence)


def test_the_senses_of_a_lemma_are_equally_frequent() -> None:
    counts: defaultdict[object, Counter[str]] = defaultdict(Counter)
    for token in (token for sentence in DATA["train"] for token in sentence if token.sense):
        counts[lemma_of(token.sense)][token.sense] += 1
    assert all(max(senses.values()) < 1.2 * min(senses.values()) for senses in counts.values())
    assert max(map(len, counts.values())) == 3


def test_the_first_sense_and_the_form_are_often_wrong() -> None:
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for token in (token for sentence in DATA["train"] for token in sentence if token.sense):
        forms[token.text.lower()][token.sense] += 1
    tagged = [token for sentence in DATA["test"] for token in sentence if token.sense]
    first = {keys[0] for keys in sample.SENSES.values()}
    assert sum(token.sense in first for token in tagged) / len(tagged) < 0.5
    by_form = [forms[token.text.lower()].most_common(1) for token in tagged]
    right = sum(bool(most) and most[0][0] == token.sense for most, token in zip(by_form, tagged, strict=True))
    assert right / len(tagged) < 0.62


def test_some_lemmas_and_frames_are_new() -> None:
    lemmas = {
        split: {lemma_of(token.sense) for sentence in DATA[split] for token in sentence if token.sense}
        for split in SPLITS
    }
    new = {tuple(name.split()) for name in sample.UNSEEN}
    assert lemmas["test"] - lemmas["train"] == new
    texts = {split: {" ".join(token.text for token in sentence) for sentence in DATA[split]} for split in SPLITS}
    assert len(texts["test"] & texts["train"]) < 0.3 * len(texts["test"])


def test_the_written_files_are_the_sample(tmp_path: Path) -> None:
    task = WordSenses(data=DataConfig())
    written = {path.name: str(path) for path in task.write_sample(tmp_path / "sample")}
    train, dev, test = (written[f"{split}.data.xml"] for split in SPLITS)
    data = DataConfig(source="files", train=train, dev=dev, test=test)
    read = WordSenses(data=data, sense_index=written["index.sense"])
    for split in SPLITS:
        assert list(read.examples(split)) == list(task.examples(split))
    assert (read.senses, set(read.first_senses)) == (task.senses, set(task.first_senses))
    assert read.index.senses == task.index.senses
