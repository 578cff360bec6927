"""Labels and scores of tasks that give one label to each example or to each token."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from harness.types import SPLITS, Example, Prediction, Split

log = logging.getLogger(__name__)

IGNORED = -100  # the gold label of padding, and of a label that is not in the training data; the loss ignores it


def labels_in_train(
    examples: Callable[[Split], Sequence[Example]], labels_of: Callable[[Example], Iterable[str]], what: str
) -> tuple[str, ...]:
    """Return the labels in the training data in alphabetical order; warn of others in dev and test.

    Args:
        examples: Returns the examples of a split.
        labels_of: Returns the labels of an example.
        what: What has a label, for the warning, such as ``tokens have a tag``.
    """
    labels = {label for example in examples("train") for label in labels_of(example)}
    for split in SPLITS[1:]:
        unseen = [label for example in examples(split) for label in labels_of(example) if label not in labels]
        if unseen:
            log.warning(
                "%s: %d %s that is not in the training data (%s); they count as errors",
                split,
                len(unseen),
                what,
                ", ".join(sorted(set(unseen))),
            )
    return tuple(sorted(labels))


def score_labels(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str], *, confusion: bool = True
) -> dict[str, float]:
    """Score predicted labels.

    Args:
        gold: The correct labels.
        predicted: The predicted labels, in the same order.
        labels: All labels, in the order of tables. A label that is neither in ``gold`` nor in ``predicted`` does not
            count in ``macro_f1``.
        confusion: Whether to return the confusion matrix too, which is long if there are many labels.

    Returns:
        ``accuracy``, ``macro_f1``, ``LABEL/precision|recall|f1``, and the confusion matrix as
        ``confusion/GOLD/PREDICTED``: the fraction of all labels in each cell.

    Raises:
        ValueError: There is nothing to score, or the numbers of gold and predicted labels differ.
    """
    from sklearn.metrics import precision_recall_fscore_support

    if not gold or len(gold) != len(predicted):
        raise ValueError(
            f"score_labels: {len(gold)} gold and {len(predicted)} predicted labels; give the same number, at least 1"
        )
    names = list(labels)
    pairs = Counter(zip(gold, predicted, strict=True))
    counts = np.array([[pairs[a, b] for b in names] for a in names])  # (gold, predicted)
    precision, recall, f1, _ = precision_recall_fscore_support(gold, predicted, labels=names, zero_division=0)
    seen = (counts.sum(axis=0) + counts.sum(axis=1)) > 0  # (labels,)
    scores = {"accuracy": float(counts.trace() / len(gold)), "macro_f1": float(f1[seen].mean())}
    for i, name in enumerate(names):
        scores |= {
            f"{name}/precision": float(precision[i]),
            f"{name}/recall": float(recall[i]),
            f"{name}/f1": float(f1[i]),
        }
    for i, name in enumerate(names if confusion else ()):
        scores |= {f"confusion/{name}/{other}": float(counts[i, j] / len(gold)) for j, other in enumerate(names)}
    return scores


def gold_nats(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``-ln p`` of gold labels, where a softmax over scores gives p; serves as the end of ``Coding.label_nats``.

    Args:
        scores: The score of each label, float (..., labels).
        labels: The gold labels, int64 (...), or ``IGNORED``.

    Returns:
        Float64 (...): ``-ln p``, 0 where there is no gold label, and bool (...): True where there is one.
    """
    given = labels != IGNORED  # (...)
    logs = scores.double().log_softmax(dim=-1)  # (..., labels)
    nats = -logs.gather(-1, labels.masked_fill(~given, 0).unsqueeze(-1)).squeeze(-1)  # (...)
    return nats.masked_fill(~given, 0.0), given


def label_counts(gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
    """Count the correct labels of examples with one label each; serves as ``Task.counts``.

    Args:
        gold: The examples. The target of each is its label.
        predictions: The prediction for each example, in the same order. Its value is a label.

    Returns:
        float64 (examples, 2): 1 where the prediction is correct and 0 elsewhere, and 1 for the example itself.
    """
    pairs = zip(gold, predictions, strict=True)
    return torch.tensor([[example.target == prediction.value, 1] for example, prediction in pairs], dtype=torch.float64)


def token_label_counts(gold: Sequence[Example], predictions: Sequence[Prediction]) -> Tensor:
    """Count the correct labels of examples with one label per token; serves as ``Task.counts``.

    Args:
        gold: The examples. The target of each is the labels of its tokens.
        predictions: The prediction for each example, in the same order. Its value is one label per token.

    Returns:
        float64 (examples, 2): the number of tokens with the correct label, and the number of tokens.
    """
    pairs = [(example.target, prediction.value) for example, prediction in zip(gold, predictions, strict=True)]
    counts = [[sum(a == b for a, b in zip(*pair, strict=True)), len(pair[0])] for pair in pairs]
    return torch.tensor(counts, dtype=torch.float64)
