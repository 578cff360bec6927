"""A report as a whole: its sections, and each of its formats."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.figures import Figure, figures
from harness.analysis.report.formats import latex, markdown
from harness.analysis.report.published import PublishedNumbers
from harness.analysis.report.settings import Block, Results
from harness.analysis.report.tables import (
    Table,
    classes_table,
    comparisons_table,
    confusion_table,
    confusions,
    overview,
    provenance_table,
    seeds_table,
    settings_table,
    systems_table,
)


@dataclass(frozen=True)
class Section:
    """One block of settings.

    Attributes:
        heading: task and data.
        tables: all but those of confusion.
        matrices: the tables of confusion.
        figures: drawings, those of confusion included.
        notes: what could not be done.
    """

    heading: str
    tables: tuple[Table, ...]
    matrices: tuple[Table, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """Sections, notes on all of them, and where the runs come from."""

    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    provenance: Table


def document(
    results: Results, analyses: Sequence[tuple[Block, Analysis]], numbers: PublishedNumbers | None
) -> Document:
    """Gather what a report says."""
    records = [run.record for setting in results.settings for run in setting.runs]
    sections = tuple(_section(block, analysis, numbers) for block, analysis in analyses)
    return Document(sections, results.notes, provenance_table(records))


def _section(block: Block, analysis: Analysis, numbers: PublishedNumbers | None) -> Section:
    matrices = confusions(block, analysis.split)
    tables = [
        settings_table(block, analysis, numbers),
        comparisons_table(block, analysis) if analysis.comparisons else None,
        seeds_table(block, analysis.split),
        classes_table(block, analysis.split),
        systems_table(block, numbers),
    ]
    return Section(
        f"{block.task} on {block.data}",
        tuple(table for table in tables if table is not None),
        tuple(confusion_table(matrix, analysis.split) for matrix in matrices),
        tuple(figures(block, analysis, matrices)),
        analysis.notes,
    )


def brief(results: Results, numbers: PublishedNumbers | None = None) -> str:
    """Return the table of all settings in Markdown, and what was left out."""
    return "\n".join([markdown(overview(results, numbers)), *(f"\n{note}" for note in results.notes)])


def as_markdown(report: Document) -> str:
    """Return the report in Markdown."""
    parts = ["# Report", *report.notes]
    for section in report.sections:
        parts += [f"## {section.heading}", *section.notes]
        for table in (*section.tables, *section.matrices):
            parts += [f"### {table.title}", markdown(table), *([table.note] if table.note else [])]
    parts += [f"## {report.provenance.title}", markdown(report.provenance)]
    return "\n\n".join(parts) + "\n"


def as_latex(report: Document) -> str:
    """Return the tables in LaTeX, to be taken into a paper that loads booktabs."""
    parts = [r"% \usepackage{booktabs}"]
    for section in report.sections:
        parts += [f"% {section.heading}", *map(latex, (*section.tables, *section.matrices))]
    return "\n\n".join(parts) + "\n"
