"""The statistics of one block: intervals over examples, and every pair of settings compared."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.compare import Comparison, Run, compare, counted, interval_of, read_run
from harness.analysis.report.settings import Block, Setting
from harness.analysis.statistics import holm
from harness.config.instantiate import build
from harness.errors import ConfigError, DataFormatError, HarnessError
from harness.protocols import Decomposable, Task
from harness.types import Split

ROUNDS = 10_000


@dataclass(frozen=True)
class Compared:
    """Two settings, and their comparison with p-values adjusted by Holm over the block's table."""

    a: Setting
    b: Setting
    result: Comparison
    holm_seeds: float
    holm_examples: float


@dataclass(frozen=True)
class Analysis:
    """What the predictions of a block say.

    Attributes:
        split: whose predictions.
        intervals: of each setting's mean score over resampled examples, by the setting's number.
        comparisons: of pairs.
        notes: what could not be done, and why.
    """

    split: Split
    intervals: dict[int, tuple[float, float]]
    comparisons: tuple[Compared, ...]
    notes: tuple[str, ...]


def analysed(block: Block, *, split: Split, rounds: int | None, seed: int, baseline: str | None) -> Analysis:
    """Resample and compare the settings of a block.

    Args:
        block: settings.
        split: whose predictions are read.
        rounds: of resampling and of randomisation; None: as many as is usual where the task has counts, else none.
        seed: of both.
        baseline: part of a label: settings are compared with those of such a label alone; None: every pair.
    """
    notes: list[str] = []
    config = block.settings[0].record.config
    try:
        task: Task = build(config.get("task"), where="task", prefixes=config.get("plugins", ()))
    except HarnessError as error:
        return Analysis(split, {}, (), (f"Nothing is compared: the task cannot be built ({error}).",))
    if rounds is None:
        rounds = ROUNDS if isinstance(task, Decomposable) else 0
        if not rounds:
            notes.append("The task has no counts an example, so that nothing is tested over examples without --rounds.")
    runs: dict[int, list[Run]] = {}
    for setting in block.settings:
        try:
            runs[setting.number] = [counted(task, read_run(run.folder, split)) for run in setting.runs]
        except DataFormatError as error:
            notes.append(f"Setting {setting.number} is not compared: {error}.")
    intervals = {}
    if isinstance(task, Decomposable) and rounds:
        intervals = {number: interval_of(task, some, rounds=rounds, seed=seed) for number, some in runs.items()}
    results: list[tuple[Setting, Setting, Comparison]] = []
    for a, b in _pairs([setting for setting in block.settings if setting.number in runs], baseline):
        try:
            results.append((a, b, compare(task, runs[a.number], runs[b.number], rounds=rounds, seed=seed)))
        except DataFormatError as error:
            notes.append(f"Settings {a.number} and {b.number} are not compared: {error}.")
    return Analysis(split, intervals, _adjusted(results), tuple(notes))


def _pairs(settings: Sequence[Setting], baseline: str | None) -> list[tuple[Setting, Setting]]:
    """Return the pairs to compare; the baseline comes first in its pairs."""
    if baseline is None:
        return list(itertools.combinations(settings, 2))
    bases = [setting for setting in settings if baseline in setting.label]
    return [(base, other) for base in bases for other in settings if other not in bases]


def _adjusted(results: Sequence[tuple[Setting, Setting, Comparison]]) -> tuple[Compared, ...]:
    over_seeds = holm([result.p_seeds for _, _, result in results])
    over_examples = holm([result.p_examples for _, _, result in results])
    return tuple(
        Compared(a, b, result, one, other)
        for (a, b, result), one, other in zip(results, over_seeds, over_examples, strict=True)
    )


def check_baseline(blocks: Sequence[Block], baseline: str | None) -> None:
    """Refuse a baseline that no label holds.

    Raises:
        ConfigError: naming the labels there are.
    """
    labels = [setting.label for block in blocks for setting in block.settings]
    if baseline is not None and not any(baseline in label for label in labels):
        raise ConfigError(f"--baseline {baseline}: no setting is called so; there are: {'; '.join(labels)}")
