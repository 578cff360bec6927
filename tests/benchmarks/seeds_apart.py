"""How often the test over examples calls two trained models of one setting different, because their seeds are.

Run with: python -m tests.benchmarks.seeds_apart RESULTS
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from harness.analysis.compare import read_run
from harness.analysis.over_examples import paired_tests
from harness.analysis.report.settings import Setting, gathered, read_records


def p_values(setting: Setting, *, rounds: int, seed: int) -> Iterator[float]:
    """Yield p over test examples for each pair of a setting's runs.

    Args:
        setting: The setting, whose runs have counts.
        rounds: The rounds of randomisation.
        seed: The seed of the rounds.
    """
    runs = [read_run(run.folder, run.record, "test") for run in setting.runs]
    counts = np.stack([run.counts for run in runs if run.counts is not None])  # (runs, examples, 2)
    pairs = [((a,), (b,)) for a, b in combinations(range(len(runs)), 2)]
    return (p for p, _ in paired_tests(counts, pairs, rounds=rounds, seed=seed))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.seeds_apart", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="the results of one task")
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY=VALUE", help="use only runs with these options")
    parser.add_argument("--rounds", type=int, default=10_000, help="the number of random rounds; default: 10,000")
    chosen = parser.parse_args(arguments)
    print("| data | setting | runs | pairs | p <= 0.05 |\n| --- | --- | --- | --- | --- |")
    every: list[bool] = []
    for block in gathered(read_records(chosen.folder), only=chosen.only).blocks:
        for setting in (one for one in block.settings if len(one.runs) > 1):
            found = [p <= 0.05 for p in p_values(setting, rounds=chosen.rounds, seed=0)]
            every += found
            print(f"| {block.data} | {setting.label} | {len(setting.runs)} | {len(found)} | {sum(found)} |")
    print(f"| all | | | {len(every)} | {sum(every)} ({100 * np.mean(every):.0f} %) |")


if __name__ == "__main__":
    main()
