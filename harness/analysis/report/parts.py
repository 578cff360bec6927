"""What a section of the report gives to the page: tables, figures and the words around them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.report.paper_numbers import NO_NUMBERS, PublishedNumbers
from harness.analysis.report.tables import Table


@dataclass(frozen=True)
class Figure:
    """A drawing, and how to read it.

    Attributes:
        title: What the figure shows.
        drawing: The drawing as SVG, in which everything has its name.
        note: How to read the drawing.
    """

    title: str
    drawing: str
    note: str


@dataclass(frozen=True)
class Part:
    """One section about a block of settings.

    Attributes:
        title: The heading.
        figures: The figures.
        tables: The tables.
        folded: Tables that a reader must open.
        notes: Sentences before the tables.
    """

    title: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    folded: Sequence[Table] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Wanted:
    """What a reader asked for.

    Attributes:
        numbers: Published numbers to show next to the scores.
        out: The folder of the report, to which links are relative.
        sort: The order of settings; see ``tables.in_order``.
        pdf: Whether each figure is written as a PDF file, too.
    """

    numbers: PublishedNumbers = NO_NUMBERS
    out: Path = Path()
    sort: str = "auto"
    pdf: bool = False


def file_name(title: str) -> str:
    """Return the title of a figure as the name of a file: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:80]
