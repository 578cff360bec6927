"""The official scores of SQuAD v1.1: exact match, and F1 over words.

Source: Rajpurkar et al. 2016, section 6.1, and the rules of the official script for v1.1.
"""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)  # only ASCII; other punctuation marks stay
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalise(text: str) -> str:
    """Return an answer in lower case, without ASCII punctuation, articles and superfluous spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(predicted: str, gold: str) -> float:
    """Return 1 if both answers are equal after normalisation, else 0.

    Args:
        predicted: The predicted answer.
        gold: The gold answer.
    """
    return float(normalise(predicted) == normalise(gold))


def f1(predicted: str, gold: str) -> float:
    """Return the F1 of two answers as bags of words; 0 if they share no word, even if both are empty.

    Args:
        predicted: The predicted answer.
        gold: The gold answer.
    """
    ours, theirs = Counter(normalise(predicted).split()), Counter(normalise(gold).split())
    return 2 * (ours & theirs).total() / max(1, ours.total() + theirs.total())


def best_scores(predicted: str | None, gold: Sequence[str]) -> tuple[float, float]:
    """Return exact match and F1 of an answer, each with the gold answer for which it is greatest.

    Args:
        predicted: The predicted answer; None scores 0.
        gold: The gold answers to the same question, at least one.
    """
    if predicted is None:
        return 0.0, 0.0
    return max(exact_match(predicted, answer) for answer in gold), max(f1(predicted, answer) for answer in gold)


def score_answers(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str]) -> dict[str, float]:
    """Score the answers to all questions; a question without an answer scores 0.

    Args:
        gold: The gold answers by question id, for at least one question.
        predicted: The predicted answers by question id.

    Returns:
        The means ``f1`` and ``em``, as fractions.
    """
    scores = [best_scores(predicted.get(question), answers) for question, answers in gold.items()]
    return {"f1": sum(f for _, f in scores) / len(scores), "em": sum(e for e, _ in scores) / len(scores)}
