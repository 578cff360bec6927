"""Compare two settings on the same examples and seeds, by two paired tests that answer two questions.

- *Do these trained models differ on other examples?* Paired approximate randomisation: the two settings exchange their
  predictions on each example with probability one half, in all seeds at the same time.
- *Do these settings differ with other seeds, on the same examples?* A paired t-test over the scores of the seeds.
"""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.analysis.statistics import bootstrap, detectable_difference, hedges_g, interval, paired_t_p, randomised_p
from harness.errors import DataFormatError
from harness.protocols import Decomposable, Task
from harness.runs.record import RunRecord, read_record
from harness.types import Example, Prediction

_NAN = float("nan")


@dataclass(frozen=True)
class Run:
    """A finished run and its predictions on one split.

    Attributes:
        record: The record of the run.
        gold: The examples of the split, with their targets.
        predictions: One prediction for each example, in the same order.
        counts: The counts of each example, float64 (examples, counts), if they were computed already.
    """

    record: RunRecord
    gold: Sequence[Example]
    predictions: Sequence[Prediction]
    counts: Tensor | None = None


@dataclass(frozen=True)
class Comparison:
    """The result of comparing two settings on their common seeds.

    Attributes:
        seeds: The common seeds.
        a: The score of A for each seed, a fraction.
        b: The score of B for each seed, a fraction.
        p_examples: Two-sided p of paired approximate randomisation over examples; NaN without rounds.
        p_seeds: Two-sided p of a paired t-test over seeds; NaN with fewer than two seeds.
        interval: 95 % interval of the difference over resampled examples; NaN without counts or without rounds.
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
        """Hedges' g over seeds; NaN with fewer than two seeds."""
        return hedges_g(self.a, self.b)

    @property
    def detectable(self) -> float:
        """The true difference that the test over seeds finds four times in five, if seeds vary as these do."""
        if len(self.seeds) < 2:
            return _NAN
        pairs = zip(self.a, self.b, strict=True)
        return detectable_difference(statistics.stdev(b - a for a, b in pairs), len(self.seeds))


def read_run(folder: Path, split: str) -> Run:
    """Read a finished run.

    Args:
        folder: The folder of the run.
        split: The split whose predictions are read, ``dev`` or ``test``.

    Raises:
        DataFormatError: The run is not finished, or has no predictions on the split.
    """
    record = read_record(folder / "record.json")
    if record.status != "ok":
        raise DataFormatError(f"{folder}: the run is {record.status}; run the same command until it has finished")
    try:
        # Not splitlines, because words may contain other line ends.
        lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").split("\n")
    except OSError:
        raise DataFormatError(f"{folder}: no predictions.jsonl; run it again with overwrite=true") from None
    rows = [row for row in map(json.loads, filter(None, lines)) if row["split"] == split]
    if not rows:
        raise DataFormatError(f"{folder}: no predictions on '{split}'; choose another --split")
    gold = [
        Example(id=row["id"], texts={name: tuple(text) for name, text in row["texts"].items()}, target=row["gold"])
        for row in rows
    ]
    return Run(record, gold, [Prediction(id=row["id"], value=row["prediction"]) for row in rows])


def counted(task: Task, run: Run) -> Run:
    """Return a run with counts in place of its texts and predictions, so that many runs fit into memory.

    Args:
        task: The task; if it cannot score from counts, the run is returned as it is.
        run: A run with its predictions.
    """
    if not isinstance(task, Decomposable):
        return run
    gold = [Example(id=example.id, texts={}, target=example.target) for example in run.gold]
    return Run(run.record, gold, (), _counts(task, [run])[0])


def _counts(task: Decomposable, runs: Sequence[Run]) -> Tensor:
    """Return the counts of all examples in all runs, float64 (seeds, examples, counts)."""
    return torch.stack([task.counts(run.gold, run.predictions) if run.counts is None else run.counts for run in runs])


def compare(task: Task, a: Sequence[Run], b: Sequence[Run], *, rounds: int, seed: int) -> Comparison:
    """Compare two settings on their common seeds.

    Args:
        task: The task that scores the predictions.
        a: The runs of setting A, one per seed.
        b: The runs of setting B, one per seed.
        rounds: The rounds of randomisation, and of resampling if the task has counts; 0 skips both.
        seed: The seed of both.

    Raises:
        DataFormatError: The two settings have no common seed, or their examples differ.
    """
    by_seed_a, by_seed_b = _by_seed(a), _by_seed(b)
    seeds = sorted(by_seed_a.keys() & by_seed_b.keys())
    if not seeds:
        raise DataFormatError("the two settings share no seed; run both with the same seeds")
    runs_a, runs_b = [by_seed_a[s] for s in seeds], [by_seed_b[s] for s in seeds]
    gold = runs_a[0].gold
    for run in (*runs_a, *runs_b):
        if [(e.id, e.target) for e in run.gold] != [(e.id, e.target) for e in gold]:
            raise DataFormatError(
                f"{run.record.name}: other examples than those of {runs_a[0].record.name}; run both on the same data"
            )

    exchange = _exchanges(task, runs_a, runs_b)
    observed = exchange(np.zeros((1, len(gold)), dtype=bool))[..., 0]  # (2, seeds)

    def difference(exchanged: np.ndarray) -> np.ndarray:
        mean_a, mean_b = exchange(exchanged).mean(axis=1)  # (rounds,) each
        return mean_b - mean_a

    p_examples, bounds = _NAN, (_NAN, _NAN)
    if rounds:
        p_examples = randomised_p(difference, examples=len(gold), rounds=rounds, seed=seed)
        if isinstance(task, Decomposable):
            samples = _resampled(task, (runs_a, runs_b), rounds=rounds, seed=seed)  # (2, rounds)
            bounds = interval(samples[1] - samples[0])
    return Comparison(
        tuple(seeds),
        tuple(observed[0].tolist()),
        tuple(observed[1].tolist()),
        p_examples=p_examples,
        p_seeds=paired_t_p(*observed),
        interval=bounds,
    )


def interval_of(task: Decomposable, runs: Sequence[Run], *, rounds: int, seed: int) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a setting's mean score over examples.

    Args:
        task: The task, which scores from counts.
        runs: The runs of the setting, one per seed.
        rounds: The rounds of resampling, 1 or more.
        seed: The seed of the draws.
    """
    return interval(_resampled(task, (runs,), rounds=rounds, seed=seed)[0])


def _resampled(task: Decomposable, sides: Sequence[Sequence[Run]], *, rounds: int, seed: int) -> np.ndarray:
    """Return each side's mean score over the same resampled examples, float (sides, rounds)."""
    counts = [_counts(task, runs) for runs in sides]  # (seeds, examples, counts) each

    def score(times: np.ndarray) -> np.ndarray:
        drawn = torch.from_numpy(times)  # (rounds, examples)
        return torch.stack([task.score_of_counts(drawn @ one).mean(dim=0) for one in counts]).numpy()

    return bootstrap(score, examples=counts[0].shape[1], rounds=rounds, seed=seed)


def _exchanges(task: Task, runs_a: Sequence[Run], runs_b: Sequence[Run]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that scores both settings after they have exchanged the predictions on some examples.

    It maps bool (rounds, examples), True where predictions are exchanged, to float (2, seeds, rounds).
    """
    if isinstance(task, Decomposable):
        a, b = _counts(task, runs_a), _counts(task, runs_b)  # (seeds, examples, counts) each

        def by_counts(exchanged: np.ndarray) -> np.ndarray:
            moved = torch.from_numpy(exchanged).double() @ (b - a)  # (seeds, rounds, counts)
            sums = torch.stack([a.sum(1, keepdim=True) + moved, b.sum(1, keepdim=True) - moved])
            return task.score_of_counts(sums).numpy()

        return by_counts

    def one_by_one(exchanged: np.ndarray) -> np.ndarray:
        scores = np.empty((2, len(runs_a), len(exchanged)))
        for seed, (a, b) in enumerate(zip(runs_a, runs_b, strict=True)):
            pairs = list(zip(a.predictions, b.predictions, strict=True))
            for row, swaps in enumerate(exchanged.astype(int).tolist()):
                for side in (0, 1):
                    predictions = [pair[side ^ swap] for pair, swap in zip(pairs, swaps, strict=True)]
                    scores[side, seed, row] = task.score(a.gold, predictions)[task.primary_metric]
        return scores

    return one_by_one


def _by_seed(runs: Sequence[Run]) -> dict[int, Run]:
    """Return the runs of one setting by seed; raise DataFormatError if they are of several settings."""
    first = runs[0].record
    for run in runs:
        if run.record.setting != first.setting:
            raise DataFormatError(
                f"{first.name}-{first.identity} and {run.record.name}-{run.record.identity} are of different settings; "
                "give the folders of one setting, or choose by --only KEY=VALUE"
            )
    return {run.record.seed: run for run in runs}
