"""The table of all settings on a terminal, as wide as the terminal is."""

import sys
from collections.abc import Iterator, Sequence

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from harness.analysis.report.printable import printable
from harness.analysis.report.tables import Table

_NARROW = 8  # characters of a column of text below which it is not made narrower, if possible


def print_table(table: Table, *notes: str) -> None:
    """Print a table on stdout, as wide as the terminal; without a terminal, as wide as it is.

    A table that is too wide has narrow columns of text, and below it the columns of numbers that do not fit.

    Args:
        table: The table.
        notes: Sentences to print below it.
    """
    console = Console(width=None if sys.stdout.isatty() else 10_000)
    console.print(Text(printable(table.title), style="bold"), soft_wrap=True)
    widths = [_width(table, i) for i in range(len(table.columns))]
    if sum(widths) + 3 * len(widths) + 1 <= console.width:
        console.print(_shown(table, range(len(widths)), widths))
    else:
        parts = _parts(widths, table.text_columns, console.width)
        console.print(*(_shown(table, columns, widths, compact=True) for columns in parts), sep="\n")
    for note in notes:
        console.print(Text(printable(note)), soft_wrap=True)


def _width(table: Table, column: int) -> int:
    """Return the width of a column: of its cells, and of its name; above numbers, the name may have several lines."""
    name = printable(table.columns[column])
    names = [name] if column < table.text_columns else name.split()
    return max(map(cell_len, [*names, *(printable(row[column]) for row in table.rows)]), default=0)


def _parts(widths: Sequence[int], text_columns: int, most: int) -> Iterator[list[int]]:
    """Divide the columns of numbers into parts that fit beside the columns of text."""
    text, part = list(range(text_columns)), list[int]()
    room = most - sum(1 + min(width, _NARROW) for width in widths[:text_columns])
    for column in range(text_columns, len(widths)):
        if part and sum(1 + widths[i] for i in (*part, column)) > room:
            yield text + part
            part = []
        part.append(column)
    yield text + part


def _shown(table: Table, columns: Sequence[int], widths: Sequence[int], *, compact: bool = False) -> RichTable:
    """Return some columns of a table."""
    shown = RichTable(box=SIMPLE_HEAD, padding=0, show_edge=False) if compact else RichTable(box=HEAVY_HEAD)
    for column in columns:
        name = Text(printable(table.columns[column]))
        if column < table.text_columns:
            shown.add_column(name, overflow="fold")
        else:
            shown.add_column(name, justify="right", width=widths[column])
    for row in table.rows:
        shown.add_row(*(Text(printable(row[column])) for column in columns))
    return shown
