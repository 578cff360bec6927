"""The scores of coreference, by the rules of two families of scorers, which treat entities of one mention differently.

- ``official``: version 8.01 of the reference scorer of CoNLL-2012. Entities of one mention count in every metric but
  MUC, in the key and in the response.
- ``lee_clark``: the scorer of Clark and Manning 2016, with which Lee et al. 2017 and their successors choose the best
  epoch. B-cubed leaves out entities of one mention, and CEAF-e those of the response.

Both agree where no entity has one mention, as in OntoNotes. Each metric adds up its numerators and denominators over
all documents.

Source: Pradhan et al. 2014, Luo et al. 2014 (the official scorer); ``metrics.py`` of e2e-coref (the other one).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Mention = tuple[int, int]  # its first and its last token
Clusters = Sequence[Sequence[Mention]]  # the mentions of each entity
Counts = np.ndarray  # float64 (4,): numerator and denominator of the recall, and of the precision
Score = tuple[float, float, float]  # recall, precision, F1
MEAN_OF = ("muc", "b3", "ceafe")  # the F1 of a scorer is the mean of theirs


class Alignment:
    """The mentions that the entities of a key and of a response share.

    Args:
        key: The gold entities.
        response: The predicted entities. If a mention occurs twice, its first occurrence counts.
    """

    def __init__(self, key: Clusters, response: Clusters) -> None:
        self.key, self.response = _of_different_mentions(key), _of_different_mentions(response)
        found = {mention: number for number, cluster in enumerate(self.response) for mention in cluster}
        pairs = ((k, found[mention]) for k, cluster in enumerate(self.key) for mention in cluster if mention in found)
        self.shared: Mapping[tuple[int, int], int] = Counter(pairs)

    @property
    def sizes(self) -> tuple[list[int], list[int]]:
        """The numbers of mentions of each entity of the key and of the response."""
        return [len(cluster) for cluster in self.key], [len(cluster) for cluster in self.response]


def _of_different_mentions(clusters: Clusters) -> list[list[Mention]]:
    """Return clusters without the later occurrences of a mention, and without those that are then empty."""
    owner: dict[Mention, int] = {}
    for number, cluster in enumerate(clusters):
        for start, end in cluster:
            owner.setdefault((start, end), number)
    kept: dict[int, list[Mention]] = {}
    for mention, number in owner.items():
        kept.setdefault(number, []).append(mention)
    return list(kept.values())


def mention_counts(pair: Alignment) -> Counts:
    """Count the mentions that are in both, without regard to their entities."""
    key, response = map(sum, pair.sizes)
    both = sum(pair.shared.values())
    return np.array([both, key, both, response], dtype=np.float64)


def muc_counts(pair: Alignment) -> Counts:
    """Count links: an entity of n mentions needs n - 1, and lacks one for each further part that the other side has."""
    # Summed over entities, the mentions that the other side has, minus the parts that they form there.
    links = sum(pair.shared.values()) - len(pair.shared)
    key, response = (sum(sizes) - len(sizes) for sizes in pair.sizes)
    return np.array([links, key, links, response], dtype=np.float64)


def b3_counts(pair: Alignment, *, least: int = 1) -> Counts:
    """Add up, for each mention, the part of its entity that is also in its entity of the other side.

    Args:
        pair: The entities.
        least: The number of mentions that an entity must have to count.
    """
    sizes = pair.sizes
    large = [
        (shared, number)
        for shared, number in pair.shared.items()
        if min(sizes[0][shared[0]], sizes[1][shared[1]]) >= least
    ]
    sums = []
    for side in (0, 1):
        parts = (number**2 / sizes[side][shared[side]] for shared, number in large)
        sums += [sum(parts), sum(size for size in sizes[side] if size >= least)]
    return np.array(sums, dtype=np.float64)


def ceaf_counts(
    pair: Alignment, similarity: Callable[[int, int, int], float], *, per_mention: bool = False, least: int = 1
) -> Counts:
    """Add up the similarities of the entities in the one-to-one alignment for which this sum is greatest.

    Args:
        pair: The entities.
        similarity: Of two entities, from the number of mentions that they share and the size of each.
        per_mention: Whether the denominators are numbers of mentions, and not of entities.
        least: The number of mentions that an entity of the response must have to count.
    """
    from scipy.optimize import linear_sum_assignment

    key, response = pair.sizes
    values = np.zeros((len(key), len(response)))  # (entities of the key, entities of the response)
    for (k, r), shared in pair.shared.items():
        if response[r] >= least:
            values[k, r] = similarity(shared, key[k], response[r])
    best = values[linear_sum_assignment(-values)].sum()
    counted = [size for size in response if size >= least]
    denominators = (sum(key), sum(counted)) if per_mention else (len(key), len(counted))
    return np.array([best, denominators[0], best, denominators[1]])


def ceafe_counts(pair: Alignment, *, least: int = 1) -> Counts:
    """Return the counts of CEAF-e, whose similarity is the F1 of two entities; see ``ceaf_counts``.

    Args:
        pair: The entities.
        least: The number of mentions that an entity of the response must have to count.
    """
    return ceaf_counts(pair, lambda shared, key, response: 2 * shared / (key + response), least=least)


def ceafm_counts(pair: Alignment) -> Counts:
    """Return the counts of CEAF-m, whose similarity is the number of shared mentions."""
    return ceaf_counts(pair, lambda shared, *_: float(shared), per_mention=True)


def blanc_counts(pair: Alignment) -> Counts:
    """Count pairs of mentions: those of one entity in the first row, and all others in the second; float64 (2, 4)."""

    def pairs(numbers: Iterable[int]) -> int:
        return sum(number * (number - 1) // 2 for number in numbers)

    linked, different, within = pairs(pair.shared.values()), [], []
    for side, sizes in enumerate(pair.sizes):
        shared = Counter[int]()
        for both, number in pair.shared.items():
            shared[both[side]] += number
        within.append(pairs(shared.values()))
        different.append((pairs(sizes), pairs([sum(sizes)]) - pairs(sizes)))
    apart = pairs([sum(pair.shared.values())]) - within[0] - within[1] + linked
    rows = [[both, different[0][i], both, different[1][i]] for i, both in enumerate((linked, apart))]
    return np.array(rows, dtype=np.float64)


OFFICIAL: Mapping[str, Callable[[Alignment], Counts]] = {
    "muc": muc_counts,
    "b3": b3_counts,
    "ceafe": ceafe_counts,
    "ceafm": ceafm_counts,
    "blanc": blanc_counts,
}
LEE_CLARK: Mapping[str, Callable[[Alignment], Counts]] = {
    "muc": muc_counts,
    "b3": lambda pair: b3_counts(pair, least=2),
    "ceafe": lambda pair: ceafe_counts(pair, least=2),
}


def score_of(counts: Counts) -> Score:
    """Return recall, precision and F1; a fraction without a denominator is 0.

    The counts of BLANC have two rows. Its scores are the means over those of the rows that the key has pairs for.
    """
    if counts.ndim == 2:
        rows = [score_of(row) for row in counts if row[1] > 0]
        recall, precision, f1 = np.mean(rows or [(0.0, 0.0, 0.0)], axis=0).tolist()
        return recall, precision, f1
    recall, precision = (float(top / bottom) if bottom else 0.0 for top, bottom in counts.reshape(2, 2))
    return recall, precision, 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def family_scores(pairs: Sequence[Alignment], metrics: Mapping[str, Callable[[Alignment], Counts]]) -> dict[str, Score]:
    """Return the scores of each metric of a family over all documents.

    Args:
        pairs: The entities of each document.
        metrics: The family, ``OFFICIAL`` or ``LEE_CLARK``.
    """
    return {name: score_of(sum(map(count, pairs), _NOTHING)) for name, count in metrics.items()}


_NOTHING: Any = np.zeros(4)


def average_f1(scores: Mapping[str, Score]) -> float:
    """Return the mean of the F1 of MUC, B-cubed and CEAF-e."""
    return sum(scores[name][2] for name in MEAN_OF) / len(MEAN_OF)


def without_singletons(clusters: Clusters) -> list[Sequence[Mention]]:
    """Return the entities that have several mentions."""
    return [cluster for cluster in clusters if len(cluster) > 1]


def score_documents(documents: Sequence[tuple[Clusters, Clusters]]) -> dict[str, float]:
    """Return the scores of all documents by both families.

    Args:
        documents: The gold entities and the predicted entities of each document.

    Returns:
        ``f1`` (official, the mean of MUC, B-cubed and CEAF-e), ``lee_clark_f1``, ``f1_without_singletons`` (official,
        after entities of one mention are removed on both sides), recall, precision and F1 of the mentions, and of each
        metric under the name of its family, such as ``official_muc/f1``.
    """
    pairs = [Alignment(key, response) for key, response in documents]
    bare = [Alignment(without_singletons(key), without_singletons(response)) for key, response in documents]
    families = {"official": family_scores(pairs, OFFICIAL), "lee_clark": family_scores(pairs, LEE_CLARK)}
    mentions = score_of(sum(map(mention_counts, pairs), _NOTHING))
    values = {
        "f1": average_f1(families["official"]),
        "lee_clark_f1": average_f1(families["lee_clark"]),
        "f1_without_singletons": average_f1(family_scores(bare, OFFICIAL)),
        **dict(zip(("mention_recall", "mention_precision", "mention_f1"), mentions, strict=True)),
    }
    for family, scores in families.items():
        for name, (recall, precision, f1) in scores.items():
            values |= {f"{family}_{name}/f1": f1, f"{family}_{name}/precision": precision}
            values[f"{family}_{name}/recall"] = recall
    return values
