"""The count-based models, compared with loops over dictionaries and with the axioms of probability."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from harness.pretrain.ngram import KneserNeyTrigram, Unigram, bounded

SIZE, BEGIN, END = 40, 0, 1


def text(seed: int = 0, count: int = 60) -> list[np.ndarray]:
    """Return sentences in which each word depends on the last two."""
    generator = np.random.default_rng(seed)
    sentences = []
    for _ in range(count):
        words = [3, 4]
        while len(words) < generator.integers(3, 12):
            words.append(3 + int(words[-1] * 2 + words[-2] + generator.geometric(0.35)) % (SIZE - 4))
        sentences.append(np.array(words))
    return sentences


def by_dictionaries(sentences: list[np.ndarray], history: tuple[int, int], word: int) -> float:
    """Return the probability by modified Kneser-Ney, written from the formulas with dictionaries."""
    trigrams: Counter[tuple[int, ...]] = Counter()
    for sentence in sentences:
        padded = [BEGIN, BEGIN, *sentence.tolist(), END]
        trigrams.update(tuple(padded[i : i + 3]) for i in range(len(padded) - 2))
    bigrams: dict[tuple[int, ...], int] = defaultdict(int)
    for (_, v, w), count in trigrams.items():
        bigrams[v, w] += count if v == BEGIN else 1
    unigrams: Counter[tuple[int, ...]] = Counter((w,) for _, w in bigrams)

    def discounts(counts: dict[tuple[int, ...], int]) -> list[float]:
        n = [sum(c == k for c in counts.values()) for k in range(5)]
        if 0 in n[1:4]:
            return [0.0, 0.5, 0.5, 0.5]
        y = n[1] / (n[1] + 2 * n[2])
        raw = [0.0, *(k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))]
        return [min(max(value, 0.0), k) for k, value in enumerate(raw)]

    def probability(counts: dict[tuple[int, ...], int], context: tuple[int, ...], lower: float) -> float:
        taken = discounts(counts)
        after = {key[-1]: c for key, c in counts.items() if key[:-1] == context}
        if not after:
            return lower
        total = sum(after.values())
        freed = sum(taken[min(c, 3)] for c in after.values()) / total
        own = max(after[word] - taken[min(after[word], 3)], 0) / total if word in after else 0.0
        return own + freed * lower

    p1 = probability(unigrams, (), 1 / SIZE)
    p2 = probability(bigrams, history[1:], p1)
    return probability(trigrams, history, p2)


@pytest.fixture(scope="module")
def model() -> KneserNeyTrigram:
    return KneserNeyTrigram(tokens=bounded(text(), begin=BEGIN, end=END), size=SIZE, begin=BEGIN)


def test_it_equals_the_formulas(model: KneserNeyTrigram) -> None:
    sentences = text()
    for history in [(BEGIN, BEGIN), (BEGIN, 3), (3, 4), (4, 9), (9, 9), (5, END), (2, 2), (20, 21)]:
        for word in range(0, SIZE, 3):
            ours = model.probabilities(np.array([history[0] * SIZE + history[1]]), np.array([word]))[0]
            assert ours == pytest.approx(by_dictionaries(sentences, history, word), abs=1e-12)


def test_all_discounts_are_used(model: KneserNeyTrigram) -> None:
    counts = np.unique(model._keys(bounded(text(), begin=BEGIN, end=END)), return_counts=True)[1]
    assert set(range(1, 5)) <= set(counts.tolist())


def test_probabilities_sum_to_one(model: KneserNeyTrigram) -> None:
    for context in range(0, SIZE * SIZE, 7):
        total = model.probabilities(np.full(SIZE, context), np.arange(SIZE)).sum()
        assert total == pytest.approx(1.0, abs=1e-12)


def test_log_probabilities_are_those_of_each_history(model: KneserNeyTrigram) -> None:
    tokens = bounded(text(seed=5, count=3), begin=BEGIN, end=END)
    expected = []
    for sentence in text(seed=5, count=3):
        padded = [BEGIN, BEGIN, *sentence.tolist(), END]
        for u, v, w in zip(padded, padded[1:], padded[2:], strict=False):
            expected.append(math.log(model.probabilities(np.array([u * SIZE + v]), np.array([w]))[0]))
    np.testing.assert_allclose(model.log_probabilities(tokens), expected, atol=1e-12)


def test_the_trigram_beats_the_unigram(model: KneserNeyTrigram) -> None:
    held_out = bounded(text(seed=9), begin=BEGIN, end=END)
    unigram = Unigram(tokens=bounded(text(), begin=BEGIN, end=END), size=SIZE, begin=BEGIN)
    assert len(model.log_probabilities(held_out)) == len(unigram.log_probabilities(held_out))
    assert model.log_probabilities(held_out).mean() > unigram.log_probabilities(held_out).mean() + 0.5


def test_a_little_text_is_enough() -> None:
    tokens = bounded([np.array([3, 4])], begin=BEGIN, end=END)
    model = KneserNeyTrigram(tokens=tokens, size=SIZE, begin=BEGIN)
    assert np.isfinite(model.log_probabilities(tokens)).all()
