"""Logistic regression on the pooled vectors of a frozen encoder: accuracy on whole sentences of SST-5.

    python -m tests.benchmarks.logistic_regression TRAIN DEV TEST
    python -m tests.benchmarks.logistic_regression TRAIN DEV TEST --encoder transformers --model FOLDER
    python -m tests.benchmarks.logistic_regression TRAIN DEV TEST --static GLOVE

The three files are those of the treebank. The strength of the regularisation is chosen on dev. Nothing is drawn at
random.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.features.static_vectors import StaticVectors
from harness.sklearn import FrozenEncoder
from harness.types import Sentence
from tasks.sst5.reader import read_trees

_MIXINGS = ("0", "1", "top", "mean")
_POOLINGS = ("mean", "max")

Transform = Callable[[Sequence[Sentence]], np.ndarray]  # texts -> float32 (texts, dim)


def main() -> None:
    """Print the accuracy of each mixing and pooling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs=3, metavar="TRAIN DEV TEST")
    parser.add_argument("--encoder", default="elmo_mini", metavar="NAME")
    parser.add_argument("--model", metavar="FOLDER", help="the folder of the model, with --encoder transformers")
    parser.add_argument("--static", type=Path, metavar="FILE", help="use static vectors instead of an encoder")
    given = parser.parse_args()
    train, dev, test = (_sentences(path) for path in given.files)
    print("| mixing | pooling | C | dev | test |\n| --- | --- | --- | --- | --- |")
    for mixing, pooling, transform in _transforms(given):
        vectors = [transform(texts) for texts, _ in (train, dev, test)]
        best = (0.0, 0.0, 0.0)
        for strength in (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1):
            classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
            classifier.fit(vectors[0], train[1])
            scores = [classifier.score(vectors[i], labels) for i, labels in ((1, dev[1]), (2, test[1]))]
            best = max(best, (scores[0], strength, scores[1]))
        print(f"| {mixing} | {pooling} | {best[1]} | {100 * best[0]:.2f} | {100 * best[2]:.2f} |", flush=True)


def _transforms(given: argparse.Namespace) -> Iterator[tuple[str, str, Transform]]:
    """Yield each mixing and pooling with the function that applies them."""
    if given.static is not None:
        with tempfile.TemporaryDirectory() as cache:
            static = StaticVectors(name="static", path=given.static, cache_dir=cache)
            yield "none", "mean", lambda texts: np.stack([static.lookup(text)[0].mean(0).numpy() for text in texts])
            yield "none", "max", lambda texts: np.stack([static.lookup(text)[0].amax(0).numpy() for text in texts])
        return
    options = {"model": given.model} if given.model else None
    for mixing in _MIXINGS:
        for pooling in _POOLINGS:
            yield (
                mixing,
                pooling,
                FrozenEncoder(given.encoder, mixing=mixing, pooling=pooling, options=options).transform,
            )


def _sentences(path: Path) -> tuple[list[Sentence], list[int]]:
    """Return the words and the label, 0 to 4, of each tree."""
    trees = read_trees(path)
    return [words for words, _ in trees], [phrases[0][2] for _, phrases in trees]


if __name__ == "__main__":
    main()
