"""What ``predict`` writes for an example: labels, and spans as tokens, as characters and as text."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from harness.types import Example, Prediction
from harness.utils.tokenized_text import TokenizedText
from tasks.common.tag_schemes import spans


class WithLabels(Protocol):
    """A task with a fixed list of labels."""

    @property
    def labels(self) -> Sequence[str]:
        """The labels, in the order of the scores of its head."""


def label_answer(task: WithLabels, example: Example, prediction: Prediction) -> Mapping[str, Any]:  # noqa: ARG001
    """Return the label of an example, and the probability of each label; serves as ``Task.answer``.

    Args:
        task: The task.
        example: The example.
        prediction: Its value is a label, and its scores are the probabilities of all labels.
    """
    if prediction.value is None:
        return {"label": None}
    probabilities = zip(task.labels, prediction.scores.tolist(), strict=True)
    return {"label": prediction.value, "probabilities": dict(probabilities)}


def token_labels_answer(example: Example, prediction: Prediction) -> Mapping[str, Any]:  # noqa: ARG001
    """Return the label of each token, and its probability; serves as ``Task.answer``.

    Args:
        example: The example.
        prediction: Its value is one label per token, and its scores are their probabilities, or the probability of all
            of them together.
    """
    if prediction.value is None:
        return {"labels": []}
    one = isinstance(prediction.scores, float)
    scores = {"probability": prediction.scores} if one else {"probabilities": prediction.scores.tolist()}
    return {"labels": list(prediction.value), **scores}


def entities_answer(example: Example, prediction: Prediction) -> Mapping[str, Any]:
    """Return the tag of each token and the entities that the tags mark; serves as ``Task.answer``.

    Args:
        example: The sentence, in the text ``tokens``.
        prediction: Its value is one tag per token, in BIO; else as for ``token_labels_answer``.
    """
    answer = token_labels_answer(example, prediction)
    text = example.origin["tokens"]
    # iob1 is read as conlleval reads it, as in the primary metric.
    found = [{"type": kind, **span_of(text, start, end)} for start, end, kind in spans(answer["labels"], "iob1")]
    return {**answer, "entities": found}


def span_of(text: TokenizedText, start: int, end: int) -> dict[str, Any]:
    """Return a span as tokens, as characters and as text.

    Args:
        text: The text.
        start: The index of the first token.
        end: The index after the last token.
    """
    first, last = text.chars_of(start, end - 1)
    return {"start": start, "end": end, "start_char": first, "end_char": last, "text": text.text[first:last]}
