"""The statistics of one block: intervals over examples, and comparisons of pairs of settings."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.compare import Comparison, Run, compare, interval_of, read_runs
from harness.analysis.report.settings import Block, Setting
from harness.analysis.statistics import holm
from harness.errors import DataFormatError
from harness.runs.record import COUNTS
from harness.types import Split

ROUNDS = 10_000


@dataclass(frozen=True)
class Compared:
    """Two settings and their comparison.

    Attributes:
        a, b: The two settings. A difference is the score of ``b`` minus the score of ``a``.
        result: The tests of the two settings.
        holm_seeds, holm_examples: The two p-values, adjusted by Holm's method for all pairs of the block.
    """

    a: Setting
    b: Setting
    result: Comparison
    holm_seeds: float
    holm_examples: float


@dataclass(frozen=True)
class Analysis:
    """The statistics of a block.

    Attributes:
        block: The settings.
        split: The split whose predictions were compared.
        intervals: The 95 % interval of each setting's mean score over resampled examples, by the setting's number.
        comparisons: The compared pairs.
        notes: Sentences that say what could not be computed, and why.
    """

    block: Block
    split: Split
    intervals: dict[int, tuple[float, float]]
    comparisons: tuple[Compared, ...]
    notes: tuple[str, ...]


def analyse(block: Block, *, split: Split, rounds: int, seed: int, baseline: str | None) -> Analysis:
    """Compute intervals for the settings of a block, and compare them.

    Args:
        block: The settings.
        split: The split whose predictions are read.
        rounds: The number of rounds of resampling and randomisation, 0 or more.
        seed: The seed of resampling and randomisation.
        baseline: Part of a label. Only settings with this text in their label are compared with the others; None
            compares every pair.
    """
    notes: list[str] = []
    runs: dict[int, list[Run]] = {}
    for setting in block.settings:
        some, left_out = read_runs({run.folder: run.record for run in setting.runs}, split)
        notes += [f"A run of setting {setting.number} is not compared: {reason}." for reason in left_out]
        if some:
            runs[setting.number] = some
    uncounted = [str(number) for number, some in runs.items() if any(run.counts is None for run in some)]
    if uncounted:
        notes.append(f"Not tested over examples, because runs have no {COUNTS}: settings {', '.join(uncounted)}.")
    found = {number: interval_of(some, rounds=rounds, seed=seed) for number, some in runs.items()}
    intervals = {number: ends for number, ends in found.items() if ends is not None}
    results: list[tuple[Setting, Setting, Comparison]] = []
    for a, b in _pairs([setting for setting in block.settings if setting.number in runs], baseline):
        try:
            results.append((a, b, compare(runs[a.number], runs[b.number], rounds=rounds, seed=seed)))
        except DataFormatError as error:
            notes.append(f"Settings {a.number} and {b.number} are not compared: {error}.")
    return Analysis(block, split, intervals, _adjusted(results), tuple(notes))


def _pairs(settings: Sequence[Setting], baseline: str | None) -> list[tuple[Setting, Setting]]:
    """Return the pairs to compare; a baseline is the first of its pairs."""
    if baseline is None:
        return list(itertools.combinations(settings, 2))
    bases = [setting for setting in settings if baseline in setting.label]
    return [(base, other) for base in bases for other in settings if other not in bases]


def _adjusted(results: Sequence[tuple[Setting, Setting, Comparison]]) -> tuple[Compared, ...]:
    """Add the p-values adjusted by Holm's method."""
    over_seeds = holm([result.p_seeds for _, _, result in results])
    over_examples = holm([result.p_examples for _, _, result in results])
    rows = zip(results, over_seeds, over_examples, strict=True)
    return tuple(Compared(*pair, by_seeds, by_examples) for pair, by_seeds, by_examples in rows)
