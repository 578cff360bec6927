"""Measure what one busy process on the same machine costs a run, with OpenMP's threads waiting passively or spinning.

    python -m tests.benchmarks.neighbour                   # NER on the sample, two epochs, two threads
    python -m tests.benchmarks.neighbour --fraction 0.2    # on a part of it

``spinning`` is what OpenMP does by itself (300,000 turns at each barrier). The dev scores of all runs with the same
number of threads must be equal. The last line compares two threads beside the neighbour with one thread without it; the
exit status is 1 above 1.3. Meaningful on a machine with two free cores, or restricted to two: ``taskset -c 0,1``.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.runs.record import RunRecord, read_record

_BAR = 1.3
_CASES = {  # the threads of torch, and the variables of the environment
    "one thread": (1, {}),
    "two threads, passive (ours)": (2, {}),
    "two threads, spinning": (2, {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}),
}


@contextmanager
def neighbour(busy: bool) -> Iterator[None]:
    """Run a process that uses one core during the block, if ``busy``."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def trained(folder: Path, fraction: float, threads: int, variables: dict[str, str]) -> RunRecord:
    """Train in a new process and return the record."""
    settings = ("tracking=none", "trainer.max_epochs=2", "overwrite=true", f"data.fraction={fraction}")
    paths = (f"results_dir={folder}/results-{threads}", f"cache_dir={folder}/cache", f"threads={threads}")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "KMP_"))}
    command = [sys.executable, "-m", "harness", *settings, *paths]
    subprocess.run(command, check=True, env=inherited | variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (path,) = (folder / f"results-{threads}").glob("*/*/record.json")
    return read_record(path)


def main() -> None:
    """Measure each case with and without the neighbour, and print a table of the seconds of training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fraction", type=float, default=1.0, metavar="F", help="the part of the training examples")
    fraction = parser.parse_args().fraction
    seconds: dict[tuple[str, bool], float] = {}
    scores: dict[int, set[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        trained(Path(name), fraction, 1, {})  # fills the feature store
        for case, (threads, variables) in _CASES.items():
            for busy in (False, True):
                with neighbour(busy):
                    record = trained(Path(name), fraction, threads, variables)
                seconds[case, busy] = record.timing["train_s"]
                scores.setdefault(threads, set()).add(record.metrics["dev"]["f1"])
    print(f"{record.environment['processor']}, {len(os.sched_getaffinity(0))} cores")
    print("| threads | alone, s | beside one busy process, s |\n| --- | --- | --- |")
    for case in _CASES:
        print(f"| {case} | {seconds[case, False]:.1f} | {seconds[case, True]:.1f} |")
    assert all(len(found) == 1 for found in scores.values()), f"the results differ: {scores}"
    ratio = seconds["two threads, passive (ours)", True] / seconds["one thread", False]
    print(f"two threads beside the neighbour take {ratio:.2f} times as long as one thread alone (bar: {_BAR})")
    sys.exit(ratio > _BAR)


if __name__ == "__main__":
    main()
