"""What is drawn from a text depends on its sentences and the seed alone, and needs little memory."""

import random
import tracemalloc
from collections import Counter

import numpy as np
import pytest

from harness.analysis.geometry.sample import Sample, draw, sampled_sentences
from harness.errors import DataFormatError
from harness.types import Sentence

TEXT: list[Sentence] = [("the", "cat", f"w{i % 7}", "saw", "the", f"n{i}") for i in range(60)]


def drawn(seed: int = 0, tokens: int = 40, words: int = 3) -> Sample:
    return draw(sampled_sentences(TEXT, count=50, seed=0), tokens=tokens, words=words, whole=4, seed=seed)


def test_the_order_and_repetitions_of_sentences_change_nothing() -> None:
    mixed = [*TEXT, *TEXT[:20], ()]
    random.Random(1).shuffle(mixed)
    found = sampled_sentences(TEXT, count=20, seed=0)
    assert found == sampled_sentences(mixed, count=20, seed=0)
    assert len(set(found)) == 20
    assert set(found) != set(sampled_sentences(TEXT, count=20, seed=1))
    assert sorted(sampled_sentences(TEXT, count=999, seed=0)) == sorted(TEXT)


def test_every_sentence_is_equally_likely() -> None:
    counts = Counter(one for seed in range(1000) for one in sampled_sentences(TEXT, count=15, seed=seed))
    assert len(counts) == 60
    assert all(250 * 0.75 < count < 250 * 1.25 for count in counts.values())  # 250 expected, deviation 14


def test_memory_does_not_grow_with_the_text() -> None:
    def peak(sentences: int) -> int:
        tracemalloc.start()
        sampled_sentences(((f"a{i}", f"b{i}", "c") for i in range(sentences)), count=100, seed=0)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(20_000) < 2 * peak(2000)


def test_the_same_seed_draws_the_same_places() -> None:
    np.testing.assert_array_equal(drawn().places, drawn().places)
    assert drawn().places[:40].tolist() != drawn(seed=1).places[:40].tolist()


def test_the_rows_are_tokens_words_and_whole_sentences() -> None:
    sample = drawn()
    places = [(row, sample.sentences[i][place]) for row, (i, place) in enumerate(sample.places.tolist())]
    words = dict(places)
    assert sample.tokens == slice(0, 40)
    assert len({tuple(place) for place in sample.places[:40].tolist()}) == 40
    assert len(sample.words) == 3
    for rows, control in zip(sample.words, sample.controls, strict=True):
        found = range(rows.start, rows.stop)
        assert len({words[row] for row in found}) == 1
        assert len(set(sample.places[rows, 0].tolist())) == len(found) >= 5  # as many sentences as places
        assert len(set(control.tolist())) == len(control) == min(len(found), 40)
        assert control.max() < 40
    for rows in sample.whole:
        (sentence,) = set(sample.places[rows, 0].tolist())
        assert tuple(words[row] for row in range(rows.start, rows.stop)) == sample.sentences[sentence]
    assert sample.whole[-1].stop == len(sample.places)
    assert sample.intra_sentence_of_noise == pytest.approx(6**-0.5)


def test_words_in_few_sentences_are_left_out_and_contexts_are_limited() -> None:
    sample = drawn(words=99, tokens=999)
    found = {sample.sentences[sample.places[rows.start, 0]][sample.places[rows.start, 1]] for rows in sample.words}
    assert found == {"the", "cat", "saw", *(f"w{i}" for i in range(7))}
    many = draw([("a", str(i)) for i in range(300)], tokens=600, words=1, whole=1, seed=0)
    assert many.words == [slice(600, 650)]
    assert len(set(many.places[600:650, 0].tolist())) == 50


def test_a_tiny_text_has_little_to_draw() -> None:
    sample = draw([("a", "b", "c"), ("a",)], tokens=10, words=5, whole=5, seed=0)
    assert (sample.token_count, sample.words, len(sample.whole)) == (4, [], 1)
    with pytest.raises(DataFormatError, match="has 2 token"):
        draw([("a", "b")], tokens=10, words=5, whole=5, seed=0)
