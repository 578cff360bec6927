"""Logistic regression on the pooled vectors of a frozen encoder: accuracy on whole sentences of SST-5.

Run with: python -m tests.benchmarks.logistic_regression TRAIN DEV TEST

The three files are those of the treebank. The strength of the regularisation is chosen on dev.
"""

import argparse
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.sklearn import FrozenEncoder
from harness.types import Sentence
from tasks.sst5.reader import read_trees


def main() -> None:
    """Print the accuracy of each mixing and pooling."""
    parser = argparse.ArgumentParser(description="Accuracy of logistic regression on pooled frozen vectors, SST-5.")
    parser.add_argument("files", type=Path, nargs=3, metavar="TRAIN DEV TEST")
    parser.add_argument("--encoder", default="elmo_mini")
    files = parser.parse_args()
    train, dev, test = (_sentences(path) for path in files.files)
    print("| mixing | pooling | C | dev | test |\n| --- | --- | --- | --- | --- |")
    for mixing in ("0", "1", "top", "mean"):
        for pooling in ("mean", "max"):
            encoder = FrozenEncoder(files.encoder, mixing=mixing, pooling=pooling)
            vectors = [encoder.transform(texts) for texts, _ in (train, dev, test)]
            best = (0.0, 0.0, 0.0)
            for strength in (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1):
                classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
                classifier.fit(vectors[0], train[1])
                scores = [classifier.score(vectors[i], labels) for i, labels in ((1, dev[1]), (2, test[1]))]
                best = max(best, (scores[0], strength, scores[1]))
            print(f"| {mixing} | {pooling} | {best[1]} | {100 * best[0]:.2f} | {100 * best[2]:.2f} |", flush=True)


def _sentences(path: Path) -> tuple[list[Sentence], list[int]]:
    """Return the words and the label, 0 to 4, of each tree."""
    trees = read_trees(path)
    return [words for words, _ in trees], [phrases[0][2] for _, phrases in trees]


if __name__ == "__main__":
    main()
