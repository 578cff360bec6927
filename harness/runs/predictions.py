"""What a run keeps of its examples: the digest of the data, and the predictions beside the gold answers."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.types import Document, Example, Prediction, Sentence
from harness.utils.files import write_text


def write_predictions(path: Path, splits: Mapping[str, tuple[Sequence[Example], Sequence[Prediction]]]) -> None:
    """Write one JSON line per example: split, id, texts, gold and prediction.

    Args:
        path: The file to write.
        splits: Per split, the examples and the prediction for each of them, in the same order.
    """
    lines = []
    for split, (examples, predictions) in splits.items():
        for example, prediction in zip(examples, predictions, strict=True):
            row = {"split": split, "id": example.id, "texts": _plain_texts(example)}
            row |= {"gold": example.target, "prediction": prediction.value}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_text(path, "".join(lines))


def examples_digest(examples: Sequence[Example]) -> str:
    """Return a SHA-256 over ids, texts and targets: the content of the data, from any file."""
    digest = hashlib.sha256()
    for example in examples:
        content = [example.id, _plain_texts(example), example.target]
        digest.update(json.dumps(content, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _plain_texts(example: Example) -> dict[str, Sequence[str] | Sequence[Sentence]]:
    """Return the tokens of each text of an example; those of a document by sentence."""
    return {name: text.sentences if isinstance(text, Document) else text for name, text in example.texts.items()}
