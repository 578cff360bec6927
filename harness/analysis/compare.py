"""``python -m harness.analysis.compare A B``: are two settings different, on the same examples and seeds?

A and B are folders of runs, one a seed. Two paired tests answer two questions, and both are printed:

- *These trained models, on other examples?* Paired approximate randomisation: every example's predictions are swapped
  between the two with probability one half, in all seeds at once.
- *These settings, with other seeds, on the same examples?* A paired t-test over the seeds' scores.

Beside them: the interval of the difference over examples (paired bootstrap), the size of the effect (Hedges' g over
seeds), and the difference that the test over seeds would find four times in five.
"""

import argparse
import glob
import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.analysis.statistics import (
    bootstrap,
    detectable_difference,
    hedges_g,
    interval,
    paired_t_p,
    randomised_p,
)
from harness.config.instantiate import build
from harness.errors import ConfigError, DataFormatError
from harness.protocols import Decomposable, Task
from harness.runs.record import RunRecord, flattened, read_record
from harness.types import Example, Prediction
from harness.utils.console import exit_status_of

_NAN = float("nan")


@dataclass(frozen=True)
class Run:
    """A finished run and its predictions on one split.

    Attributes:
        record: of the run.
        gold, predictions: aligned.
        counts: of each example, float64 (examples, counts), where they were taken already.
    """

    record: RunRecord
    gold: Sequence[Example]
    predictions: Sequence[Prediction]
    counts: Tensor | None = None


@dataclass(frozen=True)
class Comparison:
    """Two settings over the seeds they share.

    Attributes:
        seeds: shared.
        a, b: the score of each seed, as fractions.
        p_examples: two-sided, of paired approximate randomisation over examples; NaN without rounds.
        p_seeds: two-sided, of a paired t-test over seeds; NaN with fewer than two.
        interval: 95 % of the difference over resampled examples; NaN where the task has no counts, or without rounds.
    """

    seeds: tuple[int, ...]
    a: tuple[float, ...]
    b: tuple[float, ...]
    p_examples: float
    p_seeds: float
    interval: tuple[float, float] = (_NAN, _NAN)

    @property
    def difference(self) -> float:
        """Mean score of B less that of A."""
        return statistics.mean(self.b) - statistics.mean(self.a)

    @property
    def effect(self) -> float:
        """Hedges' g over seeds; NaN with fewer than two."""
        return hedges_g(self.a, self.b)

    @property
    def detectable(self) -> float:
        """The true difference that the test over seeds finds four times in five, given how these seeds vary."""
        if len(self.seeds) < 2:
            return _NAN
        pairs = zip(self.a, self.b, strict=True)
        return detectable_difference(statistics.stdev(b - a for a, b in pairs), len(self.seeds))


def read_run(folder: Path, split: str) -> Run:
    """Read a finished run.

    Raises:
        DataFormatError: it is not finished, or holds no predictions on the split.
    """
    record = read_record(folder / "record.json")
    if record.status != "ok":
        raise DataFormatError(f"{folder}: the run is {record.status}; run it to its end")
    try:
        lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").split("\n")  # words may hold other line ends
    except OSError:
        raise DataFormatError(f"{folder}: no predictions.jsonl; run it again with overwrite=true") from None
    rows = [row for row in map(json.loads, filter(None, lines)) if row["split"] == split]
    if not rows:
        raise DataFormatError(f"{folder}: no predictions on '{split}'")
    gold = [
        Example(id=row["id"], texts={name: tuple(text) for name, text in row["texts"].items()}, target=row["gold"])
        for row in rows
    ]
    return Run(record, gold, [Prediction(id=row["id"], value=row["prediction"]) for row in rows])


def counted(task: Task, run: Run) -> Run:
    """Return a run with its counts, if the task has any, and then without its texts: many fit into memory."""
    if not isinstance(task, Decomposable):
        return run
    gold = [Example(id=example.id, texts={}, target=example.target) for example in run.gold]
    return Run(run.record, gold, (), _counts(task, run))


def _counts(task: Decomposable, run: Run) -> Tensor:
    return run.counts if run.counts is not None else task.counts(run.gold, run.predictions)


def compare(task: Task, a: Sequence[Run], b: Sequence[Run], *, rounds: int, seed: int) -> Comparison:
    """Compare two settings on the seeds they share.

    Args:
        task: scores.
        a, b: runs, one a seed.
        rounds: of randomisation, and of resampling where the task has counts; 0: neither.
        seed: of both.

    Raises:
        DataFormatError: they share no seed, or their examples differ.
    """
    ours, theirs = _by_seed(a), _by_seed(b)
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        raise DataFormatError("the two settings share no seed; run both with the same seeds")
    one, other = [ours[s] for s in seeds], [theirs[s] for s in seeds]
    gold = one[0].gold
    for run in (*one, *other):
        if [(e.id, e.target) for e in run.gold] != [(e.id, e.target) for e in gold]:
            raise DataFormatError(f"{run.record.name}: other examples than those of {one[0].record.name}")

    exchange = _exchanges(task, one, other)
    as_they_are = exchange(np.zeros((1, len(gold)), dtype=bool))[..., 0]  # (2, seeds)

    def difference(exchanged: np.ndarray) -> np.ndarray:
        first, second = exchange(exchanged).mean(axis=1)  # (rounds,) each
        return second - first

    p_examples, bounds = _NAN, (_NAN, _NAN)
    if rounds:
        p_examples = randomised_p(difference, examples=len(gold), rounds=rounds, seed=seed)
        if isinstance(task, Decomposable):
            samples = _resampled(task, (one, other), rounds=rounds, seed=seed)  # (2, rounds)
            bounds = interval(samples[1] - samples[0])
    return Comparison(
        tuple(seeds),
        tuple(as_they_are[0].tolist()),
        tuple(as_they_are[1].tolist()),
        p_examples=p_examples,
        p_seeds=paired_t_p(*as_they_are),
        interval=bounds,
    )


def interval_of(task: Decomposable, runs: Sequence[Run], *, rounds: int, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of a setting's mean score over resampled examples, by the percentile bootstrap."""
    return interval(_resampled(task, (runs,), rounds=rounds, seed=seed)[0])


def _resampled(task: Decomposable, sides: Sequence[Sequence[Run]], *, rounds: int, seed: int) -> np.ndarray:
    """Return each side's mean score over the same resampled examples, float (sides, rounds)."""
    counts = [torch.stack([_counts(task, run) for run in runs]) for runs in sides]  # (seeds, examples, counts) each

    def score(times: np.ndarray) -> np.ndarray:
        drawn = torch.from_numpy(times)  # (rounds, examples)
        return torch.stack([task.score_of_counts(drawn @ one).mean(dim=0) for one in counts]).numpy()

    return bootstrap(score, examples=counts[0].shape[1], rounds=rounds, seed=seed)


def _exchanges(task: Task, ours: Sequence[Run], theirs: Sequence[Run]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that scores both settings with some examples' predictions exchanged.

    It maps bool (rounds, examples), True where they are exchanged, to float (2, seeds, rounds).
    """
    if isinstance(task, Decomposable):
        a, b = (torch.stack([_counts(task, run) for run in runs]) for runs in (ours, theirs))
        # (seeds, examples, counts) each

        def by_counts(exchanged: np.ndarray) -> np.ndarray:
            moved = torch.from_numpy(exchanged).double() @ (b - a)  # (seeds, rounds, counts)
            sums = torch.stack([a.sum(1, keepdim=True) + moved, b.sum(1, keepdim=True) - moved])
            return task.score_of_counts(sums).numpy()

        return by_counts

    def one_by_one(exchanged: np.ndarray) -> np.ndarray:
        scores = np.empty((2, len(ours), len(exchanged)))
        for seed, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            for row, swaps in enumerate(exchanged):
                both = zip(a.predictions, b.predictions, swaps, strict=True)
                for side, predictions in enumerate(
                    zip(*((y, x) if swap else (x, y) for x, y, swap in both), strict=True)
                ):
                    scores[side, seed, row] = task.score(a.gold, predictions)[task.primary_metric]
        return scores

    return one_by_one


def _by_seed(runs: Sequence[Run]) -> dict[int, Run]:
    """Return the runs of one setting by seed.

    Raises:
        DataFormatError: they are of several settings.
    """
    first = runs[0].record
    for run in runs:
        if run.record.setting != first.setting:
            raise DataFormatError(
                f"{first.name}-{first.identity} and {run.record.name}-{run.record.identity} are of different settings; "
                "name the folders of one setting, or choose by --only KEY=VALUE"
            )
    return {run.record.seed: run for run in runs}


def runs_of(pattern: str, split: str, *, only: Sequence[str] = ()) -> list[Run]:
    """Read the runs whose folders match a pattern, and whose config has some values.

    Args:
        pattern: a glob.
        split: whose predictions are read.
        only: ``KEY=VALUE`` each, such as ``data.fraction=0.1``; a run without the key passes.

    Raises:
        DataFormatError: there is none.
    """
    folders = sorted(Path(match).parent for match in glob.glob(f"{pattern}/record.json"))  # noqa: PTH207
    wanted = [tuple(item.partition("=")[::2]) for item in only]
    configs = {folder: flattened(read_record(folder / "record.json").config) for folder in folders}
    folders = [f for f in folders if all(str(configs[f].get(key, value)) == value for key, value in wanted)]
    if not folders:
        which = f" with {' '.join(only)}" if only else ""
        raise DataFormatError(f"{pattern}: no run's folder{which}; give a folder of a run, or a glob in quotes")
    return [read_run(folder, split) for folder in folders]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.analysis.compare", description=__doc__.split("\n")[0].split(": ")[1]
    )
    parser.add_argument("a", help="folders of the runs of one setting: a glob, in quotes")
    parser.add_argument("b", help="and of the other")
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY=VALUE", help="runs with these values alone")
    parser.add_argument("--split", default="test", choices=("dev", "test"))
    parser.add_argument("--rounds", type=int, default=1000, help="of randomisation; default: 1000")
    parser.add_argument("--seed", type=int, default=0, help="of randomisation; default: 0")
    chosen = parser.parse_args(arguments)
    return exit_status_of(lambda: _run(chosen))


def _run(chosen: argparse.Namespace) -> None:
    if chosen.rounds < 1:
        raise ConfigError(f"--rounds is {chosen.rounds}; expected 1 or more")
    a, b = (runs_of(pattern, chosen.split, only=chosen.only) for pattern in (chosen.a, chosen.b))
    config = a[0].record.config
    task: Task = build(config["task"], where="task", prefixes=config.get("plugins", ()))
    result = compare(task, a, b, rounds=chosen.rounds, seed=chosen.seed)
    for label, scores in (("A", result.a), ("B", result.b)):
        told = " ".join(f"{100 * score:.2f}" for score in scores)
        print(f"{label}: mean {100 * statistics.mean(scores):.2f}; seeds {told}")  # noqa: T201
    print(  # noqa: T201
        f"B - A: {100 * result.difference:+.2f} {task.primary_metric} on {chosen.split}, {len(result.seeds)} seeds, "
        f"p = {result.p_examples:.4f} over examples (paired approximate randomisation, {chosen.rounds} rounds), "
        f"p = {result.p_seeds:.4f} over seeds (paired t-test)"
    )
    low, high = result.interval
    if not math.isnan(low):
        print(f"95 % over examples: {100 * low:+.2f} to {100 * high:+.2f} (paired bootstrap)")  # noqa: T201
    if len(result.seeds) > 1:
        print(  # noqa: T201
            f"Hedges' g over seeds: {result.effect:.2f}; with as many seeds, a true difference of "
            f"{100 * result.detectable:.2f} is found four times in five"
        )


if __name__ == "__main__":
    sys.exit(main())
