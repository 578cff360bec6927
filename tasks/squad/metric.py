"""The official scores of SQuAD v1.1: exact match, and F1 over words.

``python -m tasks.squad.metric dev-v1.1.json predictions.json`` scores a predictions file: question ids and answers.

Source: Rajpurkar et al. 2016, section 6.1, and the rules of the official script for v1.1.
"""

import argparse
import json
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import DataFormatError, HarnessError
from harness.utils.text_files import read_json
from tasks.squad.reader import read_squad

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)  # ASCII alone: other marks stay
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalise(text: str) -> str:
    """Return an answer in lower case, without ASCII punctuation, articles and needless spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(predicted: str, gold: str) -> float:
    """Return 1 where both answers are the same once normalised."""
    return float(normalise(predicted) == normalise(gold))


def f1(predicted: str, gold: str) -> float:
    """Return the F1 of two bags of words; 0 where they share none, even if both are empty."""
    ours, theirs = Counter(normalise(predicted).split()), Counter(normalise(gold).split())
    return 2 * (ours & theirs).total() / max(1, ours.total() + theirs.total())


def best_scores(predicted: str | None, gold: Sequence[str]) -> tuple[float, float]:
    """Return exact match and F1 of an answer, each with the gold answer that suits it best; 0 without an answer."""
    if predicted is None:
        return 0.0, 0.0
    return max(exact_match(predicted, answer) for answer in gold), max(f1(predicted, answer) for answer in gold)


def score_answers(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str]) -> dict[str, float]:
    """Score the answers to all questions; a question without one counts, with 0.

    Args:
        gold: question id -> its gold answers, at least one question.
        predicted: question id -> answer.

    Returns:
        ``f1`` and ``em``, as fractions.
    """
    scores = [best_scores(predicted.get(question), answers) for question, answers in gold.items()]
    return {"f1": sum(f for _, f in scores) / len(scores), "em": sum(e for e, _ in scores) / len(scores)}


def read_predictions(path: Path) -> dict[str, str]:
    """Read a predictions file in the official form: one JSON object, question ids and answers.

    Raises:
        DataFormatError: it is something else.
    """
    answers = read_json(path, fix="give question ids and answers")
    if not isinstance(answers, dict) or not all(isinstance(answer, str) for answer in answers.values()):
        raise DataFormatError(f'{path}: expected one JSON object, question ids and answers: {{"id": "answer", ...}}')
    return answers


def main(arguments: Sequence[str] | None = None) -> None:
    """Score a predictions file as the official script does."""
    parser = argparse.ArgumentParser(description="Score answers to SQuAD v1.1 by exact match and F1, in per cent.")
    parser.add_argument("data", type=Path, help="the questions, in the layout of SQuAD v1.1")
    parser.add_argument("predictions", type=Path, help="a JSON object of question ids and answers")
    options = parser.parse_args(arguments)
    try:
        gold = {question.id: [answer.text for answer in question.answers] for question in read_squad(options.data)}
        predicted = read_predictions(options.predictions)
    except HarnessError as error:
        parser.error(str(error))
    scores = score_answers(gold, predicted)
    report = {
        "exact_match": 100 * scores["em"],
        "f1": 100 * scores["f1"],
        "questions": len(gold),
        "unanswered": len(gold.keys() - predicted.keys()),
        "unknown": len(predicted.keys() - gold.keys()),
    }
    print(json.dumps(report))  # noqa: T201


if __name__ == "__main__":
    main()
