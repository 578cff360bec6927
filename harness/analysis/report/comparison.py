"""The comparison page: the values of one axis, for example encoders, ranked over all tasks."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.analysis.ranking import Ranked, ranking, seeds_interval, tie_groups
from harness.analysis.report.axes import NAMED, options_of, sort_key, title_of
from harness.analysis.report.costs import Priced, cost_figures, costs_of, medians
from harness.analysis.report.epochs import notes_on_epochs
from harness.analysis.report.parts import Figure
from harness.analysis.report.settings import Block, Results, Setting
from harness.analysis.report.svg import Row, dot_plot
from harness.analysis.report.tables import Table, percent, span
from harness.errors import ConfigError, nearest

FORMULA = "normalised = 1000 / tasks * sum over tasks of (score - base) / (best - base)"
MISSING = "missing"


@dataclass(frozen=True)
class Cell:
    """The score of one value on one task.

    Attributes:
        setting: The setting that is shown: of several, the best on dev.
        scores: Its score on the compared split, by seed.
        of: How many settings have this value.
        group: Its group of ties on this task, from 1; None if it has too few seeds for a test.
    """

    setting: Setting
    scores: Mapping[int, float]
    of: int
    group: int | None

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.mean(self.scores.values())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean over seeds."""
        return seeds_interval(list(self.scores.values()))


@dataclass(frozen=True)
class Ranking:
    """The values of an axis over all tasks.

    Attributes:
        axis: The name of the axis.
        split: The split that was scored.
        tasks: The name of each task and its data, with its metric.
        cells: For each value, its cell on each task; None if it is missing.
        ranked: The values with scores on every task, the best first.
        notes: Sentences that say which runs were left out, which scores cannot be compared, and what could not be
            computed, and why.
    """

    axis: str
    split: str
    tasks: tuple[str, ...]
    cells: Mapping[str, tuple[Cell | None, ...]]
    ranked: tuple[Ranked, ...]
    notes: tuple[str, ...]

    @property
    def order(self) -> list[str]:
        """The names of the values: the ranked ones, then the others."""
        names = [one.name for one in self.ranked]
        return [*names, *(name for name in self.cells if name not in names)]


def ranked_values(results: Results, axis: str, *, split: str, rounds: int, seed: int) -> Ranking:
    """Rank the values of an axis over the tasks of some results.

    Args:
        results: The finished runs; each of their blocks is a task, and so is each fraction of its training data.
            Control tasks are left out.
        axis: A named axis or the dotted key of an option, also in the plural: ``encoders``.
        split: The split whose scores count.
        rounds: The number of resamples for the intervals of the aggregates.
        seed: The seed of the draws.

    Raises:
        ConfigError: No run has the axis, all have the same value, or it is the seed.
    """
    scored = [block for block in results.blocks if not block.is_control]
    known = {key for setting in results.settings for key in options_of(setting.record)}
    axis = axis if axis in known else axis.removesuffix("s")
    if axis not in known:
        raise ConfigError(f"--compare {axis}: no run has this option{nearest(axis, known | set(NAMED))}")
    if axis == "seed":
        raise ConfigError("--compare seed: each score is a mean over seeds; choose another axis, such as encoder")
    is_fraction = axis == "fraction" or axis in NAMED["fraction"][1]
    blocks = [part for block in scored for part in ([block] if is_fraction else _by_fraction(block))]
    columns = [_column(block, axis, split) for block in blocks]
    names = sorted({value for column in columns for value in column}, key=lambda value: sort_key({axis: value}))
    if len(names) < 2:
        raise ConfigError(f"--compare {axis}: all runs have the same value, {', '.join(map(str, names)) or 'none'}")
    cells = {_name_of(axis, name): tuple(column.get(name) for column in columns) for name in names}
    bases = [_base(block, split) for block in blocks]
    whole = {name: [cell.scores for cell in row if cell is not None] for name, row in cells.items() if None not in row}
    notes = [*notes_on_epochs(scored), *results.notes]
    if incomplete := [name for name in cells if name not in whole]:
        notes.append(f"Left out of the aggregates, because a score is missing: {', '.join(incomplete)}.")
    if left_out := len(results.blocks) - len(scored):
        notes.append(f"Left out: control tasks ({left_out}), on which a high score is not good.")
    if None in bases:
        notes.append("The normalised score needs a run with static vectors alone on every task.")
    ranked = ranking(whole, base=bases, rounds=rounds, seed=seed)
    if ranked and None not in bases and math.isnan(ranked[0].normalised):
        notes.append("There is no normalised score, because on a task nothing is above static vectors.")
    if untested := [one.name for one in ranked if one.group is None]:
        needed = "a test needs two seeds that a row and the first row of the group have on every task"
        notes.append(f"Without a group, because {needed}: {', '.join(untested)}.")
    tasks = tuple(f"{block.name} ({block.metric})" for block in blocks)
    return Ranking(axis, split, tasks, cells, tuple(ranked), tuple(notes))


def _by_fraction(block: Block) -> list[Block]:
    """Return one block for each fraction of the training data: scores of different fractions are not compared."""
    parts: dict[float, list[Setting]] = {}
    for one in block.settings:
        fraction = options_of(one.record)["fraction"]
        parts.setdefault(1.0 if fraction is None else fraction, []).append(one)
    if len(parts) == 1:
        return [block]
    return [
        replace(block, data=f"{block.data}, {100 * fraction:g} %", settings=tuple(some))
        for fraction, some in sorted(parts.items(), reverse=True)
    ]


def _column(block: Block, axis: str, split: str) -> dict[Any, Cell]:
    """Return the cell of each value in one block."""
    settings: dict[Any, list[Setting]] = {}
    for one in block.settings:
        value = options_of(one.record).get(axis)
        value = str(value) if isinstance(value, list) else value
        if isinstance(value, str | int | float):
            settings.setdefault(value, []).append(one)
    best = {value: max(some, key=lambda one: statistics.mean(one.scores("dev"))) for value, some in settings.items()}
    scores = {value: _scores(one, split) for value, one in best.items()}
    order = sorted(scores, key=lambda value: -statistics.mean(scores[value].values()))
    groups = tie_groups({str(value): by_seed for value, by_seed in scores.items()}, order=list(map(str, order)))
    return {value: Cell(best[value], scores[value], len(some), groups[str(value)]) for value, some in settings.items()}


def _scores(setting: Setting, split: str) -> dict[int, float]:
    """Return the primary metric of a setting by seed."""
    return {run.record.seed: run.record.metrics[split][run.record.primary_metric] for run in setting.runs}


def _base(block: Block, split: str) -> float | None:
    """Return the score of static vectors alone: of several such settings, of the best on dev."""
    some = [one for one in block.settings if one.record.encoder.get("name") == "none"]
    if not some:
        return None
    return statistics.mean(max(some, key=lambda one: statistics.mean(one.scores("dev"))).scores(split))


def _name_of(axis: str, value: Any) -> str:
    return "static vectors" if axis == "encoder" and value == "none" else str(value)


def explanation(found: Ranking) -> list[str]:
    """Return the lines at the top that say how to read the page."""
    return [
        f"Each row is a value of the axis {title_of(found.axis)}. Each column on the right is a task.",
        f"Scores are in percent, on {found.split}: the mean over seeds; after ±, half of its 95 % interval over seeds.",
        "If several settings have this value, the one that is best on dev is shown. Choose others with --only.",
        "Rows are sorted by group, and then by the mean over tasks.",
        "Group: rows with the same number are ties. Do not read an order into the rows of a group.",
        "Walking down from the best row, a new group begins where a row is below the first row of the group.",
        "It is below if the p-value of a paired t-test over seeds is below 0.05.",
        "This test compares the means over tasks. Its p-values are corrected for all pairs of rows by Holm's method.",
        "Few seeds make large groups: with three seeds, only large and steady differences can be shown.",
        "The small letter after a score is the group on that task alone, found in the same way.",
        "Mean: over tasks, and over the seeds that all of them have, with its 95 % interval over these seeds.",
        "A point is not worth the same on each task.",
        "Rank: the mean over tasks of the rank, from 1. Equal scores share a rank.",
        "The interval of the rank answers another question than groups: what if the tasks were others of this kind?",
        "It resamples tasks, then seeds. It needs three tasks, and is wide with fewer than about five.",
        f"{FORMULA[0].upper()}{FORMULA[1:]} (as in SUPERB).",
        "Base: static vectors alone, which therefore have 0. Best: the best score of that task in rows without a gap.",
        "A missing score is never filled in: its row has no mean, no rank and no group, and changes no other row.",
        "A bold score is the highest of its task. Whether it is the highest by chance is what the letters say.",
    ]


def score_table(found: Ranking) -> Table:
    """Return one row per value: the aggregates, and the score on each task."""
    ranked = {one.name: one for one in found.ranked}
    rows, bold = [], set()
    order = found.order
    for name in order:
        one = ranked.get(name)
        aggregates = ("", "", "", "", "", "")
        if one is not None:
            normalised = "" if math.isnan(one.normalised) else f"{one.normalised:.0f}"
            low, high = one.rank_interval
            ends = "" if math.isnan(low) else f"{low:.1f} to {high:.1f}"
            mean = (percent(one.mean), span(one.mean_interval))
            aggregates = (str(one.group or ""), *mean, f"{one.rank:.2f}", ends, normalised)
        rows.append([name, *aggregates, *(_cell(cell) for cell in found.cells[name])])
    for j in range(len(found.tasks)):
        means = [cell.mean if (cell := found.cells[name][j]) is not None else -math.inf for name in order]
        bold |= {(i, 7 + j) for i, mean in enumerate(means) if mean == max(means)}
    columns = (title_of(found.axis), "group", "mean", "95 %", "rank", "95 % of rank", "normalised", *found.tasks)
    return Table("Ranking", columns, rows, bold=frozenset(bold), main=2)


def _cell(cell: Cell | None) -> str:
    """Return the score of a cell, half of its interval, and the letter of its group."""
    if cell is None:
        return MISSING
    low, high = cell.interval
    half = "" if math.isnan(low) else f" ± {percent((high - low) / 2)}"
    group = "" if cell.group is None else chr(ord("a") + cell.group - 1) if cell.group <= 26 else str(cell.group)
    return f"{percent(cell.mean)}{half} {group}".rstrip()


def chosen_table(found: Ranking) -> Table:
    """Return which setting stands for each value on each task."""
    rows = [
        (name, task, "" if cell is None else str(cell.setting.number), "" if cell is None else cell.setting.label)
        + (("0",) if cell is None else (str(cell.of),))
        for name in found.order
        for task, cell in zip(found.tasks, found.cells[name], strict=True)
    ]
    columns = (title_of(found.axis), "task", "#", "setting that is shown", "of")
    return Table("Settings behind the scores", columns, rows, text_columns=4)


def figures(found: Ranking) -> list[Figure]:
    """Draw the mean of each ranked value, and its rank."""
    ranked, plots = found.ranked[:50], []
    if not ranked:
        return []
    values: Sequence[tuple[str, str, Any]] = (
        ("Mean over tasks", "percent", lambda one: (100 * one.mean, [100 * end for end in one.mean_interval])),
        ("Mean rank", "1 is the best", lambda one: (one.rank, one.rank_interval)),
    )
    for title, unit, value_of in values:
        rows = []
        for one in ranked:
            value, (low, high) = value_of(one)
            ends = None if math.isnan(low) else (low, high)
            group, colour = ("no group", 3) if one.group is None else (f"group {one.group}", 1 + (one.group + 1) % 2)
            rows.append(Row(f"{one.name} ({group})", [value], ends, f"c{colour}"))
        note = "Bar: the 95 % interval. The colour changes where a new group of ties begins."
        plots.append(Figure(title, dot_plot(title, rows, x_name=f"{title.lower()}, {unit}"), note))
    return [*plots, *cost_figures(_priced(found), y_name=f"mean over tasks on {found.split}, percent")]


def _priced(found: Ranking) -> dict[str, list[Priced]]:
    """Return the mean of each ranked value and the median of its costs over the tasks, on each device of all tasks."""
    devices: dict[str, list[Priced]] = {}
    for one in found.ranked:
        by_task = [costs_of(cell.setting) for cell in found.cells[one.name] if cell is not None]
        for device in by_task[0]:
            if all(device in costs for costs in by_task):
                costs = medians([costs[device] for costs in by_task])
                devices.setdefault(device, []).append(Priced(one.name, "", [100 * one.mean], costs))
    return devices
