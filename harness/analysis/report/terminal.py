"""The table of all settings on a terminal, as wide as the terminal is."""

import sys

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from harness.analysis.report.printable import printable
from harness.analysis.report.tables import Table


def print_table(table: Table, *notes: str) -> None:
    """Print a table on stdout; if that is no terminal, nothing is wrapped.

    Args:
        table: The table.
        notes: Sentences to print below it.
    """
    console = Console(width=None if sys.stdout.isatty() else 10_000)
    console.print(Text(printable(table.title), style="bold"), soft_wrap=True)
    shown = RichTable()
    for i, name in enumerate(table.columns):
        is_text = i < table.text_columns
        shown.add_column(Text(printable(name)), justify="left" if is_text else "right", no_wrap=not is_text)
    for row in table.rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    console.print(shown)
    for note in notes:
        console.print(Text(printable(note)), soft_wrap=True)
