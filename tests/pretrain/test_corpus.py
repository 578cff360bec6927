"""Shards on disk, the corpus that they form, its vocabulary, and the windows into which it is cut."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from harness.encoders.char_ids import BOS, EOS
from harness.errors import CacheError, DataFormatError
from harness.pretrain import corpus as module
from harness.pretrain.corpus import Corpus, open_corpus
from harness.pretrain.vocabulary import UNK, Vocabulary
from harness.pretrain.windows import Ids, Windows
from tests.support.privileges import modes_hold

FIRST = ["the bank was closed .", "a bank"]
SECOND = ["the river .", "closed closed closed", "é <S> \u2028"]


def write(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [write(tmp_path, "first.txt", FIRST), write(tmp_path, "second.txt", SECOND)]


def opened(paths: list[Path], tmp_path: Path) -> Corpus:
    return open_corpus(paths, tokenize=False, cache_dir=tmp_path / "cache")


def words_of(corpus: Corpus, index: int) -> list[str]:
    return [corpus.words[row] for row in corpus.sentence(index)]


def test_a_corpus_is_the_sentences_of_its_files(paths: list[Path], tmp_path: Path) -> None:
    corpus = opened(paths, tmp_path)
    assert [words_of(corpus, i) for i in range(len(corpus))] == [line.split() for line in FIRST + SECOND]
    assert corpus.num_tokens == 15
    assert corpus.words[:2] == [BOS, EOS]
    counts = dict(zip(corpus.words, corpus.counts.tolist(), strict=True))
    assert counts["closed"] == 4
    assert counts["the"] == counts["bank"] == counts["."] == 2
    assert counts[BOS] == len(corpus) + 1  # the text itself contains one


def test_a_file_is_read_once(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened(paths, tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "sentences", refuse)
    again = opened([*paths, paths[0]], tmp_path)
    assert len(again) == 7
    assert words_of(again, 5) == FIRST[0].split()
    assert again.num_tokens == before.num_tokens + 7
    assert again.digest != before.digest


def test_a_changed_file_is_read_again(paths: list[Path], tmp_path: Path) -> None:
    before = opened(paths, tmp_path).digest
    write(tmp_path, "first.txt", ["something else"])
    after = opened(paths, tmp_path)
    assert after.digest != before
    assert words_of(after, 0) == ["something", "else"]


def test_files_of_a_killed_process_are_replaced(paths: list[Path], tmp_path: Path) -> None:
    opened(paths[:1], tmp_path)
    (shard,) = [path for path in (tmp_path / "cache" / "corpora").iterdir() if path.is_dir()]
    shard.rename(shard.with_suffix(".partial"))
    (shard.with_suffix(".partial") / "ids.bin").write_bytes(b"half")
    assert words_of(opened(paths[:1], tmp_path), 0) == FIRST[0].split()


@pytest.mark.parametrize("name", ["types.txt", "ids.bin", "starts.bin", "digests.json"])
@pytest.mark.parametrize("position", [0, -1, None])
def test_a_damaged_shard_is_named(paths: list[Path], tmp_path: Path, name: str, position: int | None) -> None:
    opened(paths[:1], tmp_path)
    (file,) = (tmp_path / "cache" / "corpora").glob(f"*/{name}")
    content = bytearray(file.read_bytes())
    if position is None:
        file.unlink()
    else:
        content[position] ^= 0x40
        file.write_bytes(content)
    with pytest.raises(CacheError, match=f"{file.parent}.*delete"):
        opened(paths[:1], tmp_path)


def test_a_shard_is_read_where_nothing_can_be_written(paths: list[Path], tmp_path: Path) -> None:
    before = opened(paths, tmp_path)
    root = tmp_path / "cache" / "corpora"
    for lock in root.glob("*.lock"):
        lock.chmod(0o000)
    root.chmod(0o555)
    try:
        with modes_hold():
            assert opened(paths, tmp_path).words == before.words
        ids = next(root.glob("*/ids.bin"))
        ids.chmod(0o000)
        with modes_hold(), pytest.raises(CacheError, match=f"{ids}: not readable by you; set cache_dir=DIR"):
            opened(paths, tmp_path)
    finally:
        root.chmod(0o755)


def test_a_text_without_sentences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"empty.txt: no sentence"):
        opened([write(tmp_path, "empty.txt", ["", " "])], tmp_path)


def test_a_vocabulary_is_sorted_by_frequency(tmp_path: Path) -> None:
    vocabulary = Vocabulary.most_frequent(["b", "a", BOS, "c", UNK], [5, 5, 99, 7, 3], size=5)
    assert vocabulary.words == (BOS, EOS, UNK, "c", "a")
    assert vocabulary.rows_of(["a", "b", BOS, "never"]).tolist() == [4, 2, 0, 2]
    vocabulary.write(tmp_path / "v.txt")
    assert Vocabulary.read(tmp_path / "v.txt").words == vocabulary.words


@pytest.mark.parametrize("lines", [["a", "b"], [BOS, EOS, UNK, "a", "a"], []])
def test_a_file_that_is_not_a_vocabulary_is_refused(lines: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="the first three"):
        Vocabulary.read(write(tmp_path, "v.txt", lines))


def read(corpus: Corpus, windows: list[tuple[Ids, Ids]], direction: int, stream: int) -> list[tuple[str, str]]:
    """Return what a stream reads and predicts, word by word."""
    pairs = []
    for window in windows:
        inputs, targets = (rows[direction, :, stream] for rows in window)
        pairs += [(corpus.words[i], corpus.words[t]) for i, t in zip(inputs, targets, strict=True)]
    return pairs


def as_pairs(words: list[str]) -> list[tuple[str, str]]:
    return list(itertools.pairwise(words))


def test_streams_read_whole_sentences_in_both_directions(paths: list[Path], tmp_path: Path) -> None:
    corpus = opened(paths, tmp_path)
    cut = Windows(corpus=corpus, streams=1, steps=4, seed=0)
    windows = [cut.next() for _ in range(10)]  # two epochs of 15 words and 5 sentence ends
    bounded = [[BOS, *words_of(corpus, i), EOS] for i in range(5)]
    for direction, sentences in enumerate((bounded, [words[::-1] for words in bounded])):
        pairs = read(corpus, windows, direction, 0)
        for epoch in (pairs[:20], pairs[20:]):
            for words in sentences:
                expected = as_pairs(words)
                places = [i for i in range(20) if epoch[i : i + len(expected)] == expected]
                assert len(places) >= 1
            assert sorted(epoch) == sorted(pair for words in sentences for pair in as_pairs(words))


def test_every_sentence_is_read_by_one_stream(tmp_path: Path) -> None:
    corpus = opened([write(tmp_path, "many.txt", [f"w{i} x" for i in range(12)])], tmp_path)
    cut = Windows(corpus=corpus, streams=4, steps=3, seed=0)
    seen = [corpus.words[row] for _ in range(3) for row in cut.next()[0][0, 1]]
    assert sorted(seen) == sorted(f"w{i}" for i in range(12))


def test_the_order_is_seeded_and_differs_from_epoch_to_epoch(tmp_path: Path) -> None:
    corpus = opened([write(tmp_path, "many.txt", [f"w{i}" for i in range(50)])], tmp_path)

    def first_words(seed: int) -> list[int]:
        cut = Windows(corpus=corpus, streams=1, steps=2, seed=seed)
        return [int(cut.next()[0][0, 1, 0]) for _ in range(100)]

    order = first_words(0)
    assert order == first_words(0)
    assert order != first_words(1)
    assert sorted(order[:50]) == sorted(order[50:])
    assert order[:50] != order[50:]


@pytest.mark.parametrize("before", [0, 1, 7, 23])
def test_windows_continue_from_a_state(paths: list[Path], tmp_path: Path, before: int) -> None:
    corpus = opened(paths, tmp_path)
    whole = Windows(corpus=corpus, streams=2, steps=3, seed=4)
    for _ in range(before):
        whole.next()
    resumed = Windows(corpus=corpus, streams=2, steps=3, seed=4)
    resumed.restore(whole.state())
    for _ in range(12):
        (inputs, targets), (other_inputs, other_targets) = whole.next(), resumed.next()
        assert np.array_equal(inputs, other_inputs)
        assert np.array_equal(targets, other_targets)
