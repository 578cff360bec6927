"""Measure how the cost of features grows with 1, 4 and 16 times as many sentences, each in a separate process.

    python -m tests.benchmarks.growth                   # elmo_mini; 1,000, 4,000 and 16,000 sentences
    python -m tests.benchmarks.growth --sentences 500

The sentences are synthetic. The time is that of ``FeatureStore.fill``, after one batch that is not timed. The memory is
the increase of the largest resident size of the process. Part of the work is done once per word type, and therefore
more text costs less per token. The last column divides the time by that of the matrix products which each size needs.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from harness.features.store import FeatureStore
from tests.benchmarks import texts
from tests.benchmarks.compare import Products, model, timed_encoder

_FACTORS = (1, 4, 16)


def measure(count: int) -> dict[str, float]:
    """Fill a store with ``count`` sentences on one thread, and return its cost and that of the matrix products."""
    torch.set_num_threads(1)
    options, weights = model("elmo_mini")
    sentences = texts.drawn(count)
    encoder = timed_encoder(options, weights)
    for _ in encoder.encode(texts.drawn(300, seed=1)):
        pass
    before = _resident()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        FeatureStore(Path(folder), encoder).fill(sentences)
        seconds = time.perf_counter() - began
    grown = _resident() - before
    products = Products(options, sentences)
    products()
    began = time.perf_counter()
    products()
    return {
        "tokens": sum(map(len, sentences)),
        "seconds": seconds,
        "MiB": grown,
        "products": time.perf_counter() - began,
    }


def _resident() -> float:
    """Return the largest resident size so far, in MiB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 2**20 if sys.platform == "darwin" else size / 2**10


def main() -> None:
    """Measure each size in a separate process, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=1000, metavar="N", help="sentences of the smallest size")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measure(given.only)))
        return
    print("| sentences | tokens | seconds | us per token | MiB above the start | time over products |")
    print("| --- " * 6 + "|")
    for factor in _FACTORS:
        count = factor * given.sentences
        command = [sys.executable, "-m", "tests.benchmarks.growth", "--only", str(count)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| {count:,} | {found['tokens']:,} | {found['seconds']:.2f} "
            f"| {1e6 * found['seconds'] / found['tokens']:.0f} | {found['MiB']:.0f} "
            f"| {found['seconds'] / found['products']:.2f} |"
        )


if __name__ == "__main__":
    main()
