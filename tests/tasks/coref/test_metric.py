"""The scores of coreference: hand-worked cases, the cases of the reference scorer, and a literal second reading."""

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise, permutations
from pathlib import Path

import pytest

from harness.config.schema import DataConfig
from tasks.coref.metric import (
    LEE_CLARK,
    OFFICIAL,
    Alignment,
    Clusters,
    family_scores,
    score_documents,
    without_singletons,
)
from tasks.coref.task import Coreference

NAMES = {"muc": "muc", "bcub": "b3", "ceafe": "ceafe", "ceafm": "ceafm", "blanc": "blanc"}


def mentions(text: str) -> list[list[tuple[int, int]]]:
    """Return the clusters that words of letters stand for: ``ab cde``."""
    return [[(ord(letter), ord(letter)) for letter in word] for word in text.split()]


def official(key: str, response: str) -> dict[str, tuple[float, float, float]]:
    return family_scores([Alignment(mentions(key), mentions(response))], OFFICIAL)


def test_scores_worked_by_hand() -> None:
    """Key {a,b,c} {d,e,f,g}, response {a,b} {c,d} {f,g,h,i}: the example of Pradhan et al. 2014, section 4."""
    scores = official("abc defg", "ab cd fghi")
    assert scores["muc"] == pytest.approx((2 / 5, 2 / 5, 2 / 5))
    recall = (2 * 2 / 3 + 1 / 3 + 1 / 4 + 2 * 2 / 4) / 7
    precision = (2 * 2 / 2 + 1 / 2 + 1 / 2 + 2 * 2 / 4) / 8
    assert scores["b3"][:2] == pytest.approx((recall, precision))
    assert scores["ceafm"][:2] == pytest.approx((4 / 7, 4 / 8))
    assert scores["ceafe"][:2] == pytest.approx(((2 * 2 / 5 + 2 * 2 / 8) / 2, (2 * 2 / 5 + 2 * 2 / 8) / 3))
    linked, apart = (2 / 9, 2 / 8), (8 / 12, 8 / 20)
    assert scores["blanc"][:2] == pytest.approx(tuple((a + b) / 2 for a, b in zip(linked, apart, strict=True)))


def test_singletons_count_in_all_official_scores_but_muc() -> None:
    scores = official("a b", "a b")
    assert scores["muc"] == (0.0, 0.0, 0.0)
    assert scores["b3"] == scores["ceafe"] == scores["ceafm"] == (1.0, 1.0, 1.0)


def test_a_mention_that_occurs_twice_counts_where_it_is_first() -> None:
    assert official("ab c", "ab bc") == official("ab c", "ab c")


def test_nothing_found_scores_zero() -> None:
    values = score_documents([(mentions("ab cd"), [])])
    assert set(values.values()) == {0.0}


def test_counts_are_pooled_over_documents() -> None:
    pairs = [Alignment(mentions("abcd"), mentions("abcd")), Alignment(mentions("ab"), mentions("cd"))]
    assert family_scores(pairs, OFFICIAL)["muc"] == pytest.approx((3 / 4, 3 / 4, 3 / 4))


def test_a_perfect_response_scores_one_in_both_families() -> None:
    values = score_documents([(mentions("abc de"), mentions("abc de"))])
    assert {name: value for name, value in values.items() if value != 1.0} == {}


def lee_clark_by_definition(key: Clusters, response: Clusters) -> dict[str, tuple[float, float]]:
    """Return recall and precision, read literally from the definition of each metric."""

    def muc(one: Clusters, other: Clusters) -> tuple[float, float]:
        top = bottom = 0.0
        for cluster in one:
            parts = sum(any(m in c for m in cluster) for c in other) + sum(
                not any(m in c for c in other) for m in cluster
            )
            top, bottom = top + len(cluster) - parts, bottom + len(cluster) - 1
        return top, bottom

    def b3(one: Clusters, other: Clusters) -> tuple[float, float]:
        top = bottom = 0.0
        for cluster in (c for c in one if len(c) > 1):
            top += sum(len({*cluster} & {*c}) ** 2 for c in other if len(c) != 1) / len(cluster)
            bottom += len(cluster)
        return top, bottom

    def ceafe(key: Clusters, response: Clusters) -> float:
        kept = [cluster for cluster in response if len(cluster) > 1]
        short, long = sorted((key, kept), key=len)
        phi = [[2 * len({*a} & {*b}) / (len(a) + len(b)) for b in long] for a in short]
        return max(
            sum(row[c] for row, c in zip(phi, chosen, strict=True))
            for chosen in permutations(range(len(long)), len(short))
        )

    best, kept = ceafe(key, response), len(without_singletons(response))
    counts = {"muc": (muc(key, response), muc(response, key)), "b3": (b3(key, response), b3(response, key))}
    counts["ceafe"] = ((best, len(key)), (best, kept))
    return {name: tuple(a / b if b else 0.0 for a, b in sides) for name, sides in counts.items()}  # type: ignore[misc]


def random_clusters(rng: random.Random) -> list[list[tuple[int, int]]]:
    letters = rng.sample(range(9), 7)
    cuts = sorted({0, 7, *(rng.randrange(7) for _ in range(3))})
    return [[(m, m) for m in letters[a:b]] for a, b in pairwise(cuts)]


def test_the_scores_of_lee_and_clark_are_those_of_their_definition() -> None:
    rng = random.Random(0)
    for _ in range(60):
        key, response = random_clusters(rng), random_clusters(rng)
        scores = family_scores([Alignment(key, response)], LEE_CLARK)
        expected = lee_clark_by_definition(key, response)
        for name, sides in expected.items():
            assert scores[name][:2] == pytest.approx(sides)


def test_without_singletons_both_families_agree() -> None:
    rng = random.Random(1)
    for _ in range(30):
        pair = Alignment(*(without_singletons(random_clusters(rng)) for _ in range(2)))
        both = [family_scores([pair], family) for family in (OFFICIAL, LEE_CLARK)]
        for name in LEE_CLARK:
            assert both[0][name] == pytest.approx(both[1][name])


def test_blanc_counts_pairs() -> None:
    """Every pair of mentions, looked at one by one."""
    rng = random.Random(2)
    for _ in range(30):
        sides = [random_clusters(rng) for _ in range(2)]
        links = [{frozenset(p) for c in side for p in combinations(c, 2)} for side in sides]
        everything = [{frozenset(p) for p in combinations([m for c in side for m in c], 2)} for side in sides]
        apart = [pairs - linked for pairs, linked in zip(everything, links, strict=True)]
        expected = []
        for key, response in (links, apart):
            if key:
                both = len(key & response)
                expected.append((both / len(key), both / len(response) if response else 0.0))
        recall = sum(r for r, _ in expected) / len(expected)
        precision = sum(p for _, p in expected) / len(expected)
        assert family_scores([Alignment(*sides)], OFFICIAL)["blanc"][:2] == pytest.approx((recall, precision))


def chains(path: Path) -> list[list[list[tuple[int, int]]]]:
    """Return the chains of each document as the reference scorer reads them: repeated mentions are allowed."""
    documents: list[dict[str, list[tuple[int, int]]]] = []
    starts: dict[str, list[int]] = {}
    place = 0
    for line in path.read_text().splitlines():
        if line.startswith("#begin"):
            documents.append({})
            starts, place = {}, 0
        elif line.strip() and line[0] != "#":
            for begins, name, ends in re.findall(r"(\(?)(\w+)(\)?)", line.rstrip().split("\t")[-1]):
                if begins:
                    starts.setdefault(name, []).append(place)
                    documents[-1].setdefault(name, [])
                if ends:
                    documents[-1][name].append((starts[name].pop(), place))
            place += 1
    return [list(document.values()) for document in documents]


@pytest.mark.realdata
def test_all_cases_of_the_reference_scorer(shared: Path) -> None:
    folder = shared / "data" / "coref" / "reference_scorer_cases"
    cases = json.loads((folder / "expected.json").read_text())
    assert len(cases) == 36
    for case in cases:
        sides = zip(chains(folder / case["key"]), chains(folder / case["response"]), strict=True)
        scores = family_scores([Alignment(key, response) for key, response in sides], OFFICIAL)
        for name, expected in case["expected"].items():
            assert scores[NAMES[name]] == pytest.approx(expected, abs=1e-5), (case["id"], name)


@pytest.mark.realdata
def test_a_perfect_system_without_singletons_on_litbank(shared: Path) -> None:
    path = shared / "data" / "coref" / "litbank" / "conll.tar.gz"
    documents = Coreference(data=DataConfig()).read(path, prefix="")
    keys: Sequence[Clusters] = [example.target["clusters"] for example in documents]
    sizes = Counter(len(entity) == 1 for key in keys for entity in key)
    assert (len(documents), sum(sizes.values()), sizes[True]) == (100, 7927, 5763)
    assert sum(len(entity) for key in keys for entity in key) == 29103
    values = score_documents([(key, without_singletons(key)) for key in keys])
    named = ("official_muc/f1", "official_b3/f1", "official_ceafe/f1", "f1")
    assert [round(100 * values[name], 1) for name in named] == [100.0, 89.0, 42.9, 77.3]
    assert values["lee_clark_b3/f1"] == values["f1_without_singletons"] == 1.0
