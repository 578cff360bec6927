"""Scores of named entities: precision, recall and F1 over entities, as in the shared task of CoNLL-2003.

Source: Tjong Kim Sang and De Meulder 2003; computed by seqeval.
"""

import warnings
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from harness.types import Example, Prediction
from tasks.common.tag_schemes import spans


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
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    for i, (expected, found) in enumerate(zip(gold, predicted, strict=True)):
        if len(expected) != len(found):
            raise ValueError(f"score_tags: {len(expected)} gold and {len(found)} predicted tags in sentence {i}")
        for tag in (*expected, *found):
            if tag != "O" and not (tag[:2] in ("B-", "I-") and tag[2:]):
                raise ValueError(f"score_tags: '{tag}' is not a BIO tag; convert the tags with tag_schemes.convert")
    report = partial(classification_report, gold, predicted, output_dict=True, zero_division=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an average over no types, if there is no entity
        lenient, strict = report(), report(mode="strict", scheme=IOB2)
    scores = {}
    for name in ["micro avg", *(name for name in lenient if not name.endswith(" avg"))]:
        prefix = "" if name == "micro avg" else f"{name}/"
        for metric, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            scores[prefix + metric] = float(lenient[name][key])
        # A type may have no well-formed entity.
        scores[f"{prefix}f1_strict"] = float(strict[name]["f1-score"]) if name in strict else 0.0
    return scores


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
