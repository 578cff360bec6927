"""Scores of named entities: precision, recall and F1 over entities, as in the shared task of CoNLL-2003.

Source: Tjong Kim Sang and De Meulder 2003. seqeval computes the same numbers; the tests compare every bit.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from harness.types import Example, Prediction
from tasks.common.tag_schemes import Span, spans


def score_tags(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Score BIO tags by entity: micro-averaged precision, recall and F1, overall and for each type.

    ``f1`` counts entities like conlleval, the script of the shared task, where an I without an entity before it starts
    an entity. ``f1_strict`` counts only well-formed BIO. The two differ only on ill-formed predictions.

    Args:
        gold: The correct tags of each sentence.
        predicted: The predicted tags of each sentence, in the same order.

    Returns:
        ``precision``, ``recall``, ``f1`` and ``f1_strict``, overall and as ``TYPE/...``.

    Raises:
        ValueError: A tag is not BIO, or a sentence has other numbers of gold and predicted tags.
    """
    for i, (expected, found) in enumerate(zip(gold, predicted, strict=True)):
        if len(expected) != len(found):
            raise ValueError(f"score_tags: {len(expected)} gold and {len(found)} predicted tags in sentence {i}")
        for tag in (*expected, *found):
            if tag != "O" and not (tag[:2] in ("B-", "I-") and tag[2:]):
                raise ValueError(f"score_tags: '{tag}' is not a BIO tag; convert the tags with tag_schemes.convert")
    pairs = list(zip(gold, predicted, strict=True))
    lenient = _counted((spans(a, "iob1"), spans(b, "iob1")) for a, b in pairs)
    strict = _counted((_well_formed(a), _well_formed(b)) for a, b in pairs)
    scores: dict[str, float] = {}
    for kind, counts in lenient.items():
        prefix = f"{kind}/" if kind else ""
        scores |= {f"{prefix}{name}": value for name, value in _ratios(*counts).items()}
        scores[f"{prefix}f1_strict"] = _ratios(*strict.get(kind, (0, 0, 0)))["f1"]
    return scores


def _well_formed(tags: Sequence[str]) -> list[Span]:
    """Return the entities that start with B."""
    return [span for span in spans(tags, "iob1") if tags[span.start].startswith("B-")]


def _counted(pairs: Iterable[tuple[Sequence[Span], Sequence[Span]]]) -> dict[str, tuple[int, int, int]]:
    """Return the numbers of correct, predicted and gold entities: of all under the empty name, then of each type."""
    correct, predicted, gold = Counter[str](), Counter[str](), Counter[str]()
    for expected, found in pairs:
        correct.update(span.type for span in set(expected) & set(found))
        predicted.update(span.type for span in found)
        gold.update(span.type for span in expected)
    each = {kind: (correct[kind], predicted[kind], gold[kind]) for kind in sorted(predicted | gold)}
    return {"": (correct.total(), predicted.total(), gold.total()), **each}


def _ratios(correct: int, predicted: int, gold: int) -> dict[str, float]:
    """Return precision, recall and F1, each 0 where its denominator is 0."""
    precision, recall = correct / (predicted or 1), correct / (gold or 1)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / ((precision + recall) or 1)}


def entity_counts(gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
    """Count the entities of each sentence; serves as ``Task.counts``.

    Args:
        gold: The sentences. The target of each is its BIO tags.
        predictions: The prediction for each sentence, in the same order. Its value is BIO tags.

    Returns:
        float64 (sentences, 2): twice the entities in both, and those in ``gold`` plus those in ``predictions``. F1 is
        the ratio of their sums.
    """
    pairs = zip(gold, predictions, strict=True)
    # iob1 is read as conlleval reads it, as in the primary metric.
    entities = [(set(spans(e.target, "iob1")), set(spans(p.value, "iob1"))) for e, p in pairs]
    return torch.tensor([[2 * len(a & b), len(a) + len(b)] for a, b in entities], dtype=torch.float64)
