"""The statistics of one block: the best setting, intervals over examples, and three families of comparisons."""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.analysis.compare import Comparison, Run, compare_pairs, intervals_of, read_runs
from harness.analysis.report.settings import Block, Setting
from harness.analysis.statistics import holm, is_tested
from harness.errors import DataFormatError
from harness.runs.record import COUNTS
from harness.types import Split

LEVEL = 0.05
_BASELINES = ("none", "random")  # names of encoders; the first that occurs is the baseline


@dataclass(frozen=True)
class Compared:
    """Two settings and their comparison.

    Attributes:
        a, b: The two settings. A difference is the score of ``b`` minus the score of ``a``.
        result: The tests of the two settings.
        holm_seeds, holm_examples: The two p-values, adjusted by Holm's method for all pairs of the family.
    """

    a: Setting
    b: Setting
    result: Comparison
    holm_seeds: float
    holm_examples: float

    @property
    def is_tested(self) -> bool:
        """Whether there is a test over seeds, or none is needed because the scores are equal with every seed."""
        return is_tested(self.result.p_seeds, self.result.a, self.result.b)

    @property
    def differ(self) -> bool:
        """Whether the settings differ: the adjusted p over seeds is below 0.05."""
        return self.holm_seeds < LEVEL


@dataclass(frozen=True)
class Analysis:
    """The statistics of a block.

    Attributes:
        block: The settings.
        split: The split whose predictions were compared.
        intervals: The 95 % interval of each setting's mean score over resampled examples, by the setting's number.
        best: The setting with the highest mean score on dev.
        baselines: The settings with which others are compared; each other one with the one that is most like it.
        with_baseline: Each setting and its baseline, which is side A.
        with_best: The best setting, which is side A, and each other except its baseline.
        pairs: All pairs.
        notes: Sentences that say what could not be computed, and why.
    """

    block: Block
    split: Split
    intervals: Mapping[int, tuple[float, float]]
    best: Setting
    baselines: tuple[Setting, ...]
    with_baseline: tuple[Compared, ...]
    with_best: tuple[Compared, ...]
    pairs: tuple[Compared, ...]
    notes: tuple[str, ...]

    @property
    def ties(self) -> list[Setting]:
        """The settings that cannot be separated from the best one, although both have enough seeds for a test."""
        its_baseline = [replace(pair, a=pair.b, b=pair.a) for pair in self.with_baseline if pair.b is self.best]
        return [pair.b for pair in (*its_baseline, *self.with_best) if pair.is_tested and not pair.differ]


def analyse(block: Block, *, split: Split, rounds: int, seed: int, baseline: int | str | None) -> Analysis:
    """Compute intervals for the settings of a block, and compare them.

    Args:
        block: The settings.
        split: The split whose predictions are read.
        rounds: The number of rounds of resampling and randomisation, 0 or more.
        seed: The seed of resampling and randomisation.
        baseline: The settings to compare the others with; see ``baselines_of``.
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
    ends = intervals_of(list(runs.values()), rounds=rounds, seed=seed)
    settings = [setting for setting in block.settings if setting.number in runs]
    best = max(block.settings, key=lambda setting: statistics.mean(setting.scores("dev")))
    bases = baselines_of(block, baseline)
    base = _closest(bases, best) if bases and best not in bases else None
    families = {
        "with_baseline": [(_closest(bases, one), one) for one in settings if bases and one not in bases],
        "with_best": [(best, one) for one in settings if best in settings and one not in (best, base)],
        "pairs": list(itertools.combinations(settings, 2)),
    }
    results, more = _results(families, runs, rounds=rounds, seed=seed)
    return Analysis(
        block,
        split,
        {number: one for number, one in zip(runs, ends, strict=True) if one is not None},
        best,
        tuple(bases),
        **{name: _family(family, results) for name, family in families.items()},
        notes=(*notes, *more),
    )


def _results(
    families: Mapping[str, Sequence[tuple[Setting, Setting]]],
    runs: Mapping[int, Sequence[Run]],
    *,
    rounds: int,
    seed: int,
) -> tuple[dict[tuple[int, int], Comparison], list[str]]:
    """Compare the pairs of all families, each once; return the comparisons by number, and what could not be done."""
    results: dict[tuple[int, int], Comparison] = {}
    notes: dict[str, None] = {}
    every = {(a.number, b.number) for family in families.values() for a, b in family}
    tested = {(a.number, b.number) for name in ("with_baseline", "with_best") for a, b in families[name]}
    pairs = len(families["pairs"])
    if pairs <= LEVEL * (rounds + 1):
        tested = every
    elif rounds:
        notes[
            f"With {rounds:,} rounds, no p over examples of {pairs:,} pairs could be below {LEVEL} after Holm's "
            "correction: over examples, only comparisons with the baseline and with the best setting are tested."
        ] = None
    for some, times in ((tested, rounds), (every - tested, 0)):
        numbers = sorted(some)
        found = compare_pairs([(runs[a], runs[b]) for a, b in numbers], rounds=times, seed=seed)
        for key, one in zip(numbers, found, strict=True):
            if isinstance(one, DataFormatError):
                notes[f"Settings {min(key)} and {max(key)} are not compared: {one}."] = None
            else:
                results[key] = one
    return results, list(notes)


def baselines_of(block: Block, wanted: int | str | None) -> list[Setting]:
    """Return the settings with which the others are compared; none if there is no natural choice.

    Args:
        block: The settings.
        wanted: The number of a setting, or part of a label. If it is that of no setting of the block, or None, these
            are static vectors, or else random encoders.
    """
    found = [one for one in block.settings if wanted == one.number or (isinstance(wanted, str) and wanted in one.label)]
    if found:
        return found
    encoders = {one.number: one.record.encoder.get("name") for one in block.settings}
    chosen = next((name for name in _BASELINES if name in encoders.values()), None)
    found = [one for one in block.settings if encoders[one.number] == chosen]
    return found if len(found) < len(block.settings) else []


def _closest(bases: Sequence[Setting], setting: Setting) -> Setting:
    """Return the baseline that is equal to a setting on most axes: with the same part of the data, for example."""
    return max(bases, key=lambda base: sum(base.values[axis] == value for axis, value in setting.values.items()))


def _family(
    sides: Sequence[tuple[Setting, Setting]], results: Mapping[tuple[int, int], Comparison]
) -> tuple[Compared, ...]:
    """Return the comparisons of a family, with the p-values adjusted for their number."""
    found = [(a, b, results[a.number, b.number]) for a, b in sides if (a.number, b.number) in results]
    over_seeds = holm([result.p_seeds for _, _, result in found])
    over_examples = holm([result.p_examples for _, _, result in found])
    rows = zip(found, over_seeds, over_examples, strict=True)
    return tuple(Compared(*pair, by_seeds, by_examples) for pair, by_seeds, by_examples in rows)
