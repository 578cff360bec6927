"""Measure what a sweep costs before its first job, a finished job, and a run until its first training step.

    python -m tests.benchmarks.sweep_start              # 300 jobs, 100 finished ones

Seconds of the clock and of the processors, because other programs may use the same cores. The exit status is 1 if the
seconds of the processors are above the bars: 10 s for a dry run of 300 jobs, 0.05 s for a finished job, and 4 s for
the first step of a run on the sample data whose features are cached.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from harness.runs.plan import SharedObjects, prepare
from harness.runs.record import write_record
from tests.support.runs import SMALL, config_of, small_run

_BARS = {"a dry run of 300 jobs": 10.0, "a finished job": 0.05, "the first step of a run": 4.0}

_ONE_STEP = """
import os
from harness.cli import main
from harness.training.trainer import Trainer
step = Trainer._step
Trainer._step = lambda self, examples: (step(self, examples), os._exit(0))
main()
"""


def sweep(folder: Path, *overrides: str) -> tuple[float, float]:
    """Run a sweep in a new process; return the seconds of the clock and of the processors."""
    paths = [f"results_dir={folder}/results", f"cache_dir={folder}/cache", "trainer.max_epochs=1"]
    return measured("-m", "harness", "-m", *SMALL, *paths, *overrides)


def first_step(folder: Path) -> tuple[float, float]:
    """Run NER until its first training step, once to fill the caches and once measured."""
    words = ["tracking=none", f"results_dir={folder}/steps", f"cache_dir={folder}/cache"]
    return [measured("-c", _ONE_STEP, *words) for _ in range(2)][1]


def measured(*arguments: str) -> tuple[float, float]:
    """Run Python in a new process; return the seconds of the clock and of the processors."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def finish(folder: Path, seeds: int) -> None:
    """Train one run, and give the other seeds its record."""
    record, shared = small_run(folder, "trainer.max_epochs=1", whole=True), SharedObjects()
    for seed in range(2, seeds + 1):
        config = config_of(folder, *SMALL, "trainer.max_epochs=1", f"seed={seed}")
        plan = prepare(config, shared)
        copy = replace(record, seed=seed, name=plan.name, identity=plan.identity, setting=plan.setting)
        write_record(plan.folder, copy)


def main() -> None:
    """Measure all three, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--finished", type=int, default=100, metavar="N", help="finished jobs")
    finished = parser.parse_args().finished
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {
            "a dry run of 300 jobs": sweep(folder, "mixing=top,mean,scalar_mix", "seed=range(1,101)", "dry_run=true")
        }
        found["the first step of a run"] = first_step(folder)
        finish(folder, finished)
        one, all_ = sweep(folder, "seed=1"), sweep(folder, f"seed=range(1,{finished + 1})")
        found["a finished job"] = tuple((b - a) / (finished - 1) for a, b in zip(one, all_, strict=True))  # type: ignore
    print("| what | clock, s | processors, s | bar, s |\n| --- | --- | --- | --- |")
    for what, (clock, processors) in found.items():
        print(f"| {what} | {clock:.3f} | {processors:.3f} | {_BARS[what]} |")
    sys.exit(any(processors > _BARS[what] for what, (_, processors) in found.items()))


if __name__ == "__main__":
    main()
