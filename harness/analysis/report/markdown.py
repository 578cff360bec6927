"""A report in Markdown."""

import re
from collections.abc import Sequence

from harness.analysis.report.document import Document
from harness.analysis.report.paper_numbers import NO_NUMBERS, PublishedNumbers
from harness.analysis.report.printable import printable
from harness.analysis.report.settings import Results
from harness.analysis.report.tables import Table, overview


def brief(results: Results, numbers: PublishedNumbers = NO_NUMBERS) -> str:
    """Return the table of all settings, and what was left out.

    Args:
        results: The finished runs.
        numbers: Published numbers to show next to the scores.
    """
    return "\n".join([_markdown(overview(results, numbers)), *(f"\n{_text(note)}" for note in results.notes)])


def as_markdown(report: Document) -> str:
    """Return a whole report, without its figures."""
    parts = ["# Report", *map(_text, report.notes)]
    for section in report.sections:
        parts += [f"## {_text(section.heading)}", *map(_text, section.notes)]
        for table in (*section.tables, *section.matrices):
            parts += [f"### {_text(table.title)}", _markdown(table), *([_text(table.note)] if table.note else [])]
    parts += [f"## {report.provenance.title}", _markdown(report.provenance)]
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    """Return a table's cells. pandas would need a further package, tabulate, for these lines."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(_text(cell).replace('|', chr(92) + '|') for cell in cells)} |"

    return "\n".join([line(table.columns), line(["---"] * len(table.columns)), *map(line, table.rows)])


def _text(text: str) -> str:
    r"""Return a text that Markdown shows unchanged where it would see HTML, a character reference, a link or ``\``."""
    return re.sub(r"(\\|<(?=[\w/!?])|&(?=[\w#])|\](?=[(\[:]))", r"\\\1", printable(text))
