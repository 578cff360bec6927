"""A report in Markdown."""

from collections.abc import Sequence

from harness.analysis.report.document import Document
from harness.analysis.report.paper_numbers import NO_NUMBERS, PublishedNumbers
from harness.analysis.report.settings import Results
from harness.analysis.report.tables import Table, overview


def brief(results: Results, numbers: PublishedNumbers = NO_NUMBERS) -> str:
    """Return the table of all settings, and what was left out.

    Args:
        results: The finished runs.
        numbers: Published numbers to show next to the scores.
    """
    return "\n".join([_markdown(overview(results, numbers)), *(f"\n{note}" for note in results.notes)])


def as_markdown(report: Document) -> str:
    """Return a whole report, without its figures."""
    parts = ["# Report", *report.notes]
    for section in report.sections:
        parts += [f"## {section.heading}", *section.notes]
        for table in (*section.tables, *section.matrices):
            parts += [f"### {table.title}", _markdown(table), *([table.note] if table.note else [])]
    parts += [f"## {report.provenance.title}", _markdown(report.provenance)]
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    """Return a table's cells. pandas would need a further package, tabulate, for these lines."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return "\n".join([line(table.columns), line(["---"] * len(table.columns)), *map(line, table.rows)])
