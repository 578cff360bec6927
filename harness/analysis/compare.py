"""Compare two settings on the same examples and seeds, by two paired tests that answer two questions.

- *Do these trained models differ on other examples?* Paired approximate randomisation: the two settings exchange their
  predictions on each example with probability one half, in all seeds at the same time.
- *Do these settings differ with other seeds, on the same examples?* A paired t-test over the scores of the seeds.

Everything is computed from what the runs have recorded. No task is built, so a record from somebody else runs no code.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.analysis.over_examples import paired_tests, resampled_scores
from harness.analysis.statistics import Array, detectable_difference, hedges_g, interval, paired_t_p, ratio_of_sums
from harness.errors import DataFormatError
from harness.runs.record import COUNTS, RunRecord
from harness.utils.text_files import read_json

_NAN = float("nan")
_FEWEST_FOR_EFFECT = 3  # a standard deviation of two scores is too uncertain to be a unit


@dataclass(frozen=True)
class Run:
    """A finished run and its scores on one split.

    Attributes:
        record: The record of the run.
        split: The split, ``dev`` or ``test``.
        counts: What each example adds to the two sums whose ratio is the score, float64 (examples, 2); None if the
            score is no such ratio.
    """

    record: RunRecord
    split: str
    counts: Array | None = None

    @property
    def score(self) -> float:
        """The primary metric, a fraction."""
        return self.record.metrics[self.split][self.record.primary_metric]

    @property
    def label(self) -> str:
        """A name for messages: that of the run's folder."""
        return f"{self.record.name}-{self.record.identity}"


@dataclass(frozen=True)
class Comparison:
    """The result of comparing two settings on their common seeds.

    Attributes:
        seeds: The common seeds.
        a: The score of A for each seed, a fraction.
        b: The score of B for each seed, a fraction.
        p_examples: Two-sided p of paired approximate randomisation over examples; NaN without counts or rounds.
        p_seeds: Two-sided p of a paired t-test over seeds; NaN with fewer than two seeds, or if
            the difference is the same with every seed.
        interval: 95 % interval of the difference over resampled examples; NaN without counts or rounds.
    """

    seeds: tuple[int, ...]
    a: tuple[float, ...]
    b: tuple[float, ...]
    p_examples: float
    p_seeds: float
    interval: tuple[float, float] = (_NAN, _NAN)

    @property
    def difference(self) -> float:
        """The mean score of B minus that of A."""
        return statistics.mean(self.b) - statistics.mean(self.a)

    @property
    def effect(self) -> float:
        """Hedges' g over seeds; NaN with fewer than three seeds."""
        return hedges_g(self.a, self.b) if len(self.seeds) >= _FEWEST_FOR_EFFECT else _NAN

    @property
    def detectable(self) -> float:
        """The true difference that the test over seeds finds four times in five, if seeds vary as these do."""
        if len(self.seeds) < 2:
            return _NAN
        pairs = zip(self.a, self.b, strict=True)
        return detectable_difference(statistics.stdev(b - a for a, b in pairs), len(self.seeds))


def read_run(folder: Path, record: RunRecord, split: str) -> Run:
    """Return a recorded run with its counts, if it has any.

    Args:
        folder: The folder of the run.
        record: Its record.
        split: The split, ``dev`` or ``test``.

    Raises:
        DataFormatError: The run is not finished, has no score on the split, or its counts are damaged.
    """
    if record.status != "ok":
        raise DataFormatError(f"{folder}: the run is {record.status}; run the same command until it has finished")
    if record.primary_metric not in record.metrics.get(split, {}):
        raise DataFormatError(f"{folder}: no {record.primary_metric or 'score'} on {split}; choose another --split")
    run, path, fix = Run(record, split), folder / COUNTS, "repeat the run with overwrite=true"
    if not path.exists():
        return run
    try:
        counts = np.array(read_json(path, fix=fix)[split], dtype=np.float64)  # (examples, 2)
        score = float(ratio_of_sums(counts.sum(axis=0)))
        if len(counts) != record.data["sizes"][split]:
            raise ValueError(len(counts))
    except (KeyError, TypeError, ValueError, OverflowError, IndexError):
        raise DataFormatError(f"{path}: not two numbers for each example of {split}; {fix}") from None
    if not abs(score - run.score) < 1e-6:
        wrong = f"the counts give {record.primary_metric} = {score:.6f} on {split}, but the record {run.score:.6f}"
        raise DataFormatError(f"{path}: {wrong}; {fix}")
    return Run(record, split, counts)


def read_runs(recorded: Mapping[Path, RunRecord], split: str) -> tuple[list[Run], list[str]]:
    """Return the runs that can be compared, and why each of the others cannot.

    Args:
        recorded: The records by the folders of their runs.
        split: The split, ``dev`` or ``test``.
    """
    runs, left_out = [], []
    for folder, record in recorded.items():
        try:
            runs.append(read_run(folder, record, split))
        except DataFormatError as error:
            left_out.append(str(error))
    return runs, left_out


def compare(a: Sequence[Run], b: Sequence[Run], *, rounds: int, seed: int) -> Comparison:
    """Compare two settings on their common seeds.

    Args:
        a: The runs of setting A, one per seed.
        b: The runs of setting B, one per seed.
        rounds: The rounds of randomisation and of resampling; 0 skips both, and so does a run without counts.
        seed: The seed of both.

    Raises:
        DataFormatError: The two settings have no common seed, or their examples differ.
    """
    found = compare_pairs([(a, b)], rounds=rounds, seed=seed)[0]
    if isinstance(found, DataFormatError):
        raise found
    return found


def compare_pairs(
    pairs: Sequence[tuple[Sequence[Run], Sequence[Run]]], *, rounds: int, seed: int
) -> list[Comparison | DataFormatError]:
    """Compare many pairs of settings, each as if alone; for a pair that cannot be compared, return why.

    All pairs on the same examples share their random numbers, which takes little longer than a single pair.

    Args:
        pairs: The runs of settings A and B of each pair.
        rounds: The rounds of randomisation and of resampling; 0 skips both.
        seed: The seed of both.
    """
    found: list[Comparison | DataFormatError] = []
    groups: dict[Any, list[int]] = {}  # the pairs on the same examples
    sides: list[tuple[list[Run], list[Run]]] = []
    for i, (a, b) in enumerate(pairs):
        try:
            sides.append(_on_common_seeds(a, b))
            found.append(_over_seeds(*sides[i]))
        except DataFormatError as error:
            sides.append(([], []))
            found.append(error)
            continue
        if rounds and all(run.counts is not None for side in sides[i] for run in side):
            groups.setdefault(_examples_of(sides[i][0][0]), []).append(i)
    for numbers in groups.values():
        tested = _over_examples([sides[i] for i in numbers], rounds=rounds, seed=seed)
        for i, (p, ends) in zip(numbers, tested, strict=True):
            one = found[i]
            assert isinstance(one, Comparison)
            found[i] = replace(one, p_examples=p, interval=ends)
    return found


def intervals_of(settings: Sequence[Sequence[Run]], *, rounds: int, seed: int) -> list[tuple[float, float] | None]:
    """Return the 95 % percentile bootstrap interval of each setting's mean score over examples; None without counts.

    Args:
        settings: The runs of each setting, one per seed.
        rounds: The rounds of resampling; 0 gives None.
        seed: The seed of the draws.
    """
    found: list[tuple[float, float] | None] = [None] * len(settings)
    groups: dict[Any, list[int]] = {}
    for i, runs in enumerate(settings):
        if rounds and runs and all(run.counts is not None for run in runs):
            groups.setdefault(_examples_of(runs[0]), []).append(i)
    for numbers in groups.values():
        scores = resampled_scores(_counts_of([run for i in numbers for run in settings[i]]), rounds=rounds, seed=seed)
        ends = np.cumsum([len(settings[i]) for i in numbers])
        for i, rows in zip(numbers, np.split(scores, ends[:-1]), strict=True):
            found[i] = interval(rows.mean(axis=0))
    return found


def _on_common_seeds(a: Sequence[Run], b: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """Return the runs of the seeds that both settings have; raise DataFormatError if they cannot be compared."""
    by_seed_a, by_seed_b = _by_seed(a), _by_seed(b)
    seeds = sorted(by_seed_a.keys() & by_seed_b.keys())
    if not seeds:
        raise DataFormatError("the two settings share no seed; run both with the same seeds")
    runs_a, runs_b = [by_seed_a[s] for s in seeds], [by_seed_b[s] for s in seeds]
    first = runs_a[0]
    for run in (*runs_a, *runs_b):
        if _examples_of(run) != _examples_of(first):
            raise DataFormatError(
                f"{run.label}: other examples or another metric than those of {first.label}; run both on the same data"
            )
    return runs_a, runs_b


def _over_seeds(a: Sequence[Run], b: Sequence[Run]) -> Comparison:
    """Compare runs of the same seeds, without a test over examples."""
    scores_a, scores_b = (tuple(run.score for run in runs) for runs in (a, b))
    seeds = tuple(run.record.seed for run in a)
    return Comparison(seeds, scores_a, scores_b, p_examples=_NAN, p_seeds=paired_t_p(scores_a, scores_b))


def _by_seed(runs: Sequence[Run]) -> dict[int, Run]:
    """Return the runs of one setting by seed; raise DataFormatError for several settings or scores of one seed."""
    found: dict[int, Run] = {}
    for run in runs:
        if run.record.setting != runs[0].record.setting:
            raise DataFormatError(
                f"{runs[0].label} and {run.label} are of different settings; "
                "give the folders of one setting, or choose by --only KEY=VALUE"
            )
        other = found.setdefault(run.record.seed, run)
        if other.score != run.score:
            raise DataFormatError(f"{run.label}: two runs of seed {run.record.seed} have different scores; give one")
    return found


def _examples_of(run: Run) -> tuple[Any, ...]:
    """Return what two runs must have in common to be compared: task, metric, and digest and number of examples."""
    record, data = run.record, run.record.data
    return (record.task, record.primary_metric, *(data.get(key, {}).get(run.split) for key in ("sha256", "sizes")))


def _over_examples(
    pairs: Sequence[tuple[Sequence[Run], Sequence[Run]]], *, rounds: int, seed: int
) -> list[tuple[float, tuple[float, float]]]:
    """Return p of approximate randomisation, and the interval of the difference, for pairs of runs of equal seeds."""
    runs = list({id(run): run for pair in pairs for side in pair for run in side}.values())
    row = {id(run): i for i, run in enumerate(runs)}
    rows = [([row[id(run)] for run in a], [row[id(run)] for run in b]) for a, b in pairs]
    return paired_tests(_counts_of(runs), rows, rounds=rounds, seed=seed)


def _counts_of(runs: Sequence[Run]) -> Array:
    """Return the counts of runs on the same examples, float64 (runs, examples, 2)."""
    return np.stack([run.counts for run in runs if run.counts is not None])
