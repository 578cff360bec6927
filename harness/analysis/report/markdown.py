"""A report in Markdown."""

import re
from collections.abc import Iterable

from harness.analysis.report.document import Document
from harness.analysis.report.epochs import notes_on_epochs
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
    table = overview(results, numbers)
    notes = [*notes_on_epochs(results.blocks), *results.notes]
    return "\n\n".join([_text(table.title), markdown_table(table), *map(_text, notes)])


def as_markdown(report: Document) -> str:
    """Return a whole report, without its figures."""
    parts = ["# Report", f"{report.date}: `{printable(report.command)}`"]
    parts += [f"**{_text(chapter.heading)}.** {_text(chapter.headline)}" for chapter in report.chapters]
    parts += map(_text, report.notes)
    for chapter in report.chapters:
        parts.append(f"## {_text(chapter.heading)}")
        for part in chapter.parts:
            parts += map(_text, part.notes)
            for table in (*part.tables, *part.folded):
                note = [_text(table.note)] if table.note else []
                parts += [f"### {_text(table.title)}", markdown_table(table), *note]
    parts += [f"## {report.provenance.title}", markdown_table(report.provenance)]
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """Return a table's cells. pandas would need a further package, tabulate, for these lines."""

    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    def cell(text: str) -> str:
        return _text(text).replace("|", r"\|")

    rows = [
        [f"**{cell(text)}**" if (i, j) in table.bold and text else cell(text) for j, text in enumerate(row)]
        for i, row in enumerate(table.rows)
    ]
    return "\n".join([line(map(cell, table.columns)), line(["---"] * len(table.columns)), *map(line, rows)])


def _text(text: str) -> str:
    r"""Return a text that Markdown shows unchanged where it would see HTML, a link, emphasis, code or ``\``."""
    marks = r"(\\|<(?=[\w/!?])|&(?=[\w#])|\](?=[(\[:])|[*`]|(?<![^\W_])_|_(?![^\W_]))"
    return re.sub(marks, r"\\\1", printable(text))
