"""The content of a whole report, independent of its formats."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.class_tables import classes_table, confusion_table, confusions
from harness.analysis.report.figures import Figure, figures
from harness.analysis.report.paper_numbers import PublishedNumbers
from harness.analysis.report.provenance import provenance_table
from harness.analysis.report.settings import Results
from harness.analysis.report.tables import Table, score_tables, systems_table


@dataclass(frozen=True)
class Section:
    """The part of a report about one block of settings.

    Attributes:
        heading: The task and the data.
        tables: All tables except confusion matrices; the first is the table of settings.
        matrices: The confusion matrices as tables, for formats without figures.
        figures: The figures, including confusion matrices.
        notes: Sentences that say what could not be computed, and why.
    """

    heading: str
    tables: tuple[Table, ...]
    matrices: tuple[Table, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A whole report: a section per block, notes on the runs that were left out, and what the runs were made with."""

    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    provenance: Table


def document(results: Results, analyses: Sequence[Analysis], numbers: PublishedNumbers) -> Document:
    """Gather the content of a report.

    Args:
        results: The finished runs.
        analyses: The statistics of each block of ``results``.
        numbers: Published numbers to show next to the scores.
    """
    records = [run.record for setting in results.settings for run in setting.runs]
    sections = tuple(_section(analysis, numbers) for analysis in analyses)
    return Document(sections, results.notes, provenance_table(records))


def _section(analysis: Analysis, numbers: PublishedNumbers) -> Section:
    """Gather the tables and figures of one block."""
    matrices = confusions(analysis)
    optional = (classes_table(analysis), systems_table(analysis.block, numbers))
    return Section(
        f"{analysis.block.task} on {analysis.block.data}",
        (*score_tables(analysis, numbers), *(table for table in optional if table is not None)),
        tuple(map(confusion_table, matrices)),
        tuple(figures(analysis, matrices)),
        analysis.notes,
    )
