"""A report's tables in LaTeX, for the package booktabs."""

import re

import pandas

from harness.analysis.report.document import Document
from harness.analysis.report.printable import printable
from harness.analysis.report.tables import Table

_SPECIAL = {  # pandas escapes the first two lines only
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "−": "$-$",
}


def as_latex(report: Document) -> str:
    """Return every table of a report, to be copied into a paper that loads booktabs."""
    parts = [r"% \usepackage{booktabs}"]
    for section in report.sections:
        parts += [f"% {latex_text(section.heading)}", *map(latex, (*section.tables, *section.matrices))]
    return "\n\n".join(parts) + "\n"


def latex(table: Table) -> str:
    """Return one table as a ``table`` environment."""
    rows = [[latex_text(cell) for cell in row] for row in table.rows]
    cells = pandas.DataFrame(rows, columns=[latex_text(name) for name in table.columns])
    caption = latex_text(f"{table.title}. {table.note}".strip().removesuffix("."))
    columns = "l" * table.text_columns + "r" * (len(table.columns) - table.text_columns)
    text = cells.style.hide(axis="index").to_latex(
        column_format=columns, position_float="centering", hrules=True, caption=f"{caption}."
    )
    return str(text).replace(r"\centering", r"\centering\small", 1).rstrip()


def latex_text(text: str) -> str:
    """Return a text as one line that LaTeX prints unchanged."""
    escaped = "".join(_SPECIAL.get(character, character) for character in printable(text))
    return re.sub(r"(?<!\S)-(?=\d)", "$-$", escaped)
