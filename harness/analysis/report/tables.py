"""Tables of text cells, independent of the format, and how numbers are written in them."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.analysis.report.axes import title_of
from harness.analysis.report.paper_numbers import PublishedNumbers
from harness.analysis.report.settings import Block, Results, Setting

SPLITS = ("dev", "test")
TIE = "≈"
_FEW = 20  # rows of a table that only explains figures
MOST_ROWS = 50  # of a table that are open, and of a plot


@dataclass(frozen=True)
class Table:
    """A table of text cells.

    Attributes:
        title: What the table shows.
        columns: The column headings.
        rows: The rows, each with one cell per column.
        text_columns: The number of columns, from the left, that hold text; the others hold numbers.
        note: How to read the table.
        bold: The row and the column of each cell in bold.
        links: The address behind a cell, by its row and column.
        main: The column that stays on a narrow screen; None if there is none.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1
    note: str = ""
    bold: frozenset[tuple[int, int]] = frozenset()
    links: Mapping[tuple[int, int], str] = field(default_factory=dict)
    main: int | None = None

    def without_empty_columns(self) -> "Table":
        """Return the table without the columns, right of those with text, in which every cell is empty."""
        kept = [j for j in range(len(self.columns)) if j < self.text_columns or any(row[j] for row in self.rows)]
        place = {j: i for i, j in enumerate(kept)}
        return replace(
            self,
            columns=[self.columns[j] for j in kept],
            rows=[[row[j] for j in kept] for row in self.rows],
            bold=frozenset((i, place[j]) for i, j in self.bold if j in place),
            links={(i, place[j]): address for (i, j), address in self.links.items() if j in place},
            main=None if self.main is None else place.get(self.main),
        )


def open_and_folded(tables: Sequence[Table]) -> tuple[list[Table], list[Table]]:
    """Return the tables with few rows, and those that a reader must open, so that the figures are not far away."""
    return [one for one in tables if len(one.rows) <= _FEW], [one for one in tables if len(one.rows) > _FEW]


def spread(scores: Sequence[float]) -> str:
    """Return mean and sample standard deviation of fractions, in percent; an empty text for no scores."""
    if not scores:
        return ""
    mean = percent(statistics.mean(scores))
    return f"{mean} ± {percent(statistics.stdev(scores))}" if len(scores) > 1 else mean


def p_value(p: float) -> str:
    """Return a p-value with the digits that matter, or an empty text for NaN."""
    return "" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def percent(value: float) -> str:
    """Return a fraction in percent, or an empty text for NaN."""
    return "" if math.isnan(value) else f"{100 * value:.2f}"


def points(value: float) -> str:
    """Return a difference of fractions in points, with its sign; an empty text for NaN."""
    return "" if math.isnan(value) else f"{100 * value:+.2f}"


def span(ends: tuple[float, float]) -> str:
    """Return the two ends of an interval in percent; an empty text for NaN."""
    return "" if math.isnan(ends[0]) else f"{percent(ends[0])} to {percent(ends[1])}"


def in_order(block: Block, split: str, sort: str = "auto") -> list[Setting]:
    """Return the settings of a block as a reader wants them.

    Args:
        block: The settings.
        split: The split whose score counts.
        sort: ``score``: the best first. ``axes``: by their values. ``auto``: by their values if an axis has numbers and
            the settings are few enough to be seen together.
    """
    numbers = len(block.settings) <= MOST_ROWS and any(
        isinstance(one.values[axis], int | float) for one in block.settings for axis in block.axes
    )
    if sort == "axes" or (sort == "auto" and numbers):
        return list(block.settings)
    return sorted(block.settings, key=lambda one: -statistics.mean(one.scores(split)))


def cells_of(setting: Setting, axes: Sequence[str]) -> tuple[str, ...]:
    """Return a cell for each axis.

    Args:
        setting: The setting.
        axes: The axes that are shown.
    """
    values = (setting.values.get(axis) for axis in axes)
    return tuple("" if value is None else str(value) for value in values)


def overview(results: Results, numbers: PublishedNumbers, *, split: str = "test", sort: str = "auto") -> Table:
    """Return one row per setting of every block, computed from the records alone.

    Args:
        results: The finished runs.
        numbers: Published numbers to show next to the scores.
        split: The split whose score counts if rows are sorted by score.
        sort: The order of the rows within a block; see ``in_order``.
    """
    axes = list(dict.fromkeys(axis for block in results.blocks for axis in block.axes))
    named = [(block, one) for block in results.blocks for one in in_order(block, split, sort)]
    headings, published = published_cells([setting for _, setting in named], numbers)
    rows = [
        [str(one.number), block.task, block.data, *(cells_of(one, axes) or (one.label,)), block.metric, *scores_of(one)]
        for block, one in named
    ]
    columns = ["#", "task", "data", *(map(title_of, axes) if axes else ["setting"]), "metric", "n", *SPLITS]
    same = [i for i in (1, 2, len(columns) - 4) if len({row[i] for row in rows}) == 1]
    about = ", ".join(rows[0][i] for i in same) if rows else ""
    kept = [i for i in range(len(columns)) if i not in same]
    cells = [[*(row[i] for i in kept), *more] for row, more in zip(rows, published, strict=True)]
    columns = [*(columns[i] for i in kept), *headings]
    title = f"{about}; scores in percent".removeprefix("; ")
    return Table(title, columns, cells, text_columns=len(kept) - len(SPLITS) - 1)


def scores_of(setting: Setting) -> tuple[str, ...]:
    """Return the number of runs, and the score on each split."""
    return (str(len(setting.runs)), *(spread(setting.scores(split)) for split in SPLITS))


def published_cells(
    settings: Sequence[Setting], numbers: PublishedNumbers
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings and each setting's cells of the published numbers. A split without any has no columns.

    Args:
        settings: The settings, one per row.
        numbers: The published numbers.
    """
    headings: tuple[str, ...] = ()
    cells: list[tuple[str, ...]] = [() for _ in settings]
    for split in SPLITS:
        found = [numbers.of_setting(setting.record, split) for setting in settings]
        if not any(found):
            continue
        headings += (f"published {split}", "difference")
        for i, (setting, number) in enumerate(zip(settings, found, strict=True)):
            if number is None:
                cells[i] += ("", "")
            else:
                ours = statistics.mean(setting.scores(split, number.metric))
                cells[i] += (f"{number} ({number.source})", points(ours - number.value / 100))
    return headings, cells
