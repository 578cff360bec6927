"""Measure the peak memory of ``python -m harness export`` for 10,000 and 100,000 sentences, each in its own process.

    python -m tests.benchmarks.export_memory
    python -m tests.benchmarks.export_memory --sentences 1000 --encoder random --formats parquet

The sentences have six words each, drawn from 3,000 invented words, so nearly all sentences are different.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.processes import usage_of

_FACTORS = (1, 10)
_TYPES = 3_000
_WORDS = 6  # of a sentence


def peak_and_size(count: int, folder: Path, *, form: str, encoder: Sequence[str]) -> tuple[int, int]:
    """Export ``count`` sentences in a new process; return its peak resident memory and the size of the file, in bytes.

    Args:
        count: The number of sentences.
        folder: Where the text and the vectors are written; the vectors are deleted afterwards.
        form: The suffix of the file of vectors.
        encoder: The arguments of the command that choose the encoder.
    """
    text, out = folder / f"{count}.txt", folder / f"{count}.{form}"
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 9))) for _ in range(_TYPES)]
    with text.open("w") as file:
        for _ in range(count):
            file.write(" ".join(draw.choices(words, k=_WORDS)) + "\n")
    command = [sys.executable, "-m", "harness", "export", str(text), str(out), "threads=1", *encoder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    usage = usage_of(process, seconds=3600)
    size = out.stat().st_size
    out.unlink()
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), size


def main() -> None:
    """Measure each format and size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=10_000, metavar="N", help="sentences of the smaller size")
    parser.add_argument("--encoder", default="elmo_mini", metavar="NAME")
    parser.add_argument("--formats", nargs="+", default=["hdf5", "npz", "parquet"], metavar="SUFFIX")
    given = parser.parse_args()
    print("| format | sentences | file, MiB | peak memory, MiB |\n| --- " + "| --- " * 3 + "|")
    for form in given.formats:
        for factor in _FACTORS:
            count = factor * given.sentences
            with tempfile.TemporaryDirectory() as folder:
                peak, size = peak_and_size(count, Path(folder), form=form, encoder=[f"encoder={given.encoder}"])
            print(f"| {form} | {count:,} | {size / 2**20:,.0f} | {peak / 2**20:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
