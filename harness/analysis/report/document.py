"""The content of a whole report, independent of its formats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.analysis.report.analysis import Analysis
from harness.analysis.report.headline import headline
from harness.analysis.report.parts import Figure, Part, Wanted, file_name
from harness.analysis.report.probes import probes_part
from harness.analysis.report.provenance import provenance_table
from harness.analysis.report.sections import (
    classes,
    comparisons,
    confusions,
    costs,
    layer_use,
    learning_curves,
    published,
    runs,
    scores,
    sweeps,
)
from harness.analysis.report.settings import Results
from harness.analysis.report.tables import Table

# The sections of a chapter, in their order.
SECTIONS: tuple[Callable[[Analysis, Wanted], Part | None], ...] = (
    scores.section,
    sweeps.section,
    comparisons.section,
    learning_curves.section,
    layer_use.section,
    costs.section,
    classes.section,
    confusions.section,
    published.section,
    runs.section,
)


@dataclass(frozen=True)
class Chapter:
    """What a report says about one block of settings, or about the probes of all of them.

    Attributes:
        heading: The task and the data, or ``Probes``.
        headline: What a reader wants to know first.
        parts: The sections.
    """

    heading: str
    headline: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Document:
    """A whole report: a chapter per block, the notes of the results, and what the runs were made with.

    Attributes:
        chapters: One per block of settings, and one about probes if there are any.
        notes: Sentences on runs that were left out, and on scores that cannot be compared.
        provenance: What the runs were made with.
        command: The command that made the report.
        date: The day on which it was made.
    """

    chapters: tuple[Chapter, ...]
    notes: tuple[str, ...]
    provenance: Table
    command: str
    date: str

    @property
    def figures(self) -> dict[str, Figure]:
        """Every figure by the name of its file: the number of its chapter, then its title."""
        return {
            f"{number}-{file_name(figure.title)}": figure
            for number, chapter in enumerate(self.chapters, start=1)
            for part in chapter.parts
            for figure in part.figures
        }


def document(
    results: Results, analyses: Sequence[Analysis], wanted: Wanted, *, command: str = "", date: str = ""
) -> Document:
    """Gather the content of a report.

    Args:
        results: The finished runs.
        analyses: The statistics of each block of ``results``.
        wanted: What the reader asked for.
        command: The command that makes the report.
        date: The day on which it is made.
    """
    chapters = []
    for one in analyses:
        found = [section(one, wanted) for section in SECTIONS]
        chapters.append(Chapter(one.block.name, headline(one), tuple(part for part in found if part is not None)))
    if (probed := probes_part(results)) is not None:
        chapters.append(Chapter("Probes", probed[0], (probed[1],)))
    return Document(tuple(chapters), results.notes, provenance_table(results.records), command, date)
