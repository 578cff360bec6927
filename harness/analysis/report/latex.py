r"""The tables of a report in LaTeX, for the packages booktabs and graphicx, never wider than ``\textwidth``."""

import re
from collections.abc import Iterator

import pandas

from harness.analysis.report.document import Document
from harness.analysis.report.printable import printable
from harness.analysis.report.tables import Table

_MOST_ROWS = 45  # on one page
_CAPTION = 145  # characters of two lines
_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "−": "$-$",
    "≈": r"$\approx$",
    "≥": r"$\geq$",
}
_SHORT = {  # columns with shorter names; those with none are left out, because they are in the other formats
    "difference": "diff.",
    "p over seeds": "p seeds",
    "Holm, seeds": "Holm",
    "p over examples": "p ex.",
    "Holm, examples": "Holm",
    "fraction of the training data": "fraction",
    "encoder weights": "weights",
    "tokens/s encoded": "tokens/s",
    "s per epoch": "s/epoch",
    **dict.fromkeys(("head weights", "peak memory, bytes", "peak GPU memory, bytes", "device"), ""),
    **dict.fromkeys(("95 % over examples", "detectable", "epochs", "parameters"), ""),
    **dict.fromkeys(("dev, 95 % over examples", "test, 95 % over examples"), ""),
}


def as_latex(report: Document) -> str:
    """Return the open tables of a report, to be copied into a paper."""
    parts = [r"% \usepackage{booktabs,graphicx}", *(f"% {printable(note)}" for note in report.notes)]
    for chapter in report.chapters:
        parts.append(f"% {latex_text(chapter.heading)}. {latex_text(chapter.headline)}")
        parts += [f"% {printable(note)}" for part in chapter.parts for note in part.notes]
        parts += [text for part in chapter.parts for table in part.tables for text in latex(table)]
    return "\n\n".join(parts) + "\n"


def latex(table: Table) -> Iterator[str]:
    """Yield a table as one ``table`` environment, or several if it is longer than a page."""
    # Text columns are the axes that tell the rows apart; one of them may be the device.
    kept = [i for i, name in enumerate(table.columns) if i < table.text_columns or _SHORT.get(name, name)]
    names = [latex_text(_SHORT.get(table.columns[i]) or table.columns[i]) for i in kept]
    rows = [
        [rf"\textbf{{{latex_text(row[j])}}}" if (i, j) in table.bold else latex_text(row[j]) for j in kept]
        for i, row in enumerate(table.rows)
    ]
    form = "".join("l" if i < table.text_columns else "r" for i in kept)
    for first in range(0, len(rows), _MOST_ROWS):
        cells = pandas.DataFrame(rows[first : first + _MOST_ROWS], columns=names)
        tabular = cells.style.hide(axis="index").to_latex(column_format=form, hrules=True).rstrip()
        yield "\n".join(
            [
                r"\begin{table}\centering\small",
                rf"\caption{{{_caption(table)}{' Continued.' if first else ''}}}\smallskip",
                r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
                f"{tabular}}}",
                r"\end{table}",
            ]
        )


def _caption(table: Table) -> str:
    """Return the title, and as many sentences of the note as fit into two lines."""
    words = f"{table.title}."
    for sentence in re.split(r"(?<=[.;]) ", table.note):
        if not sentence or len(words) + len(sentence) > _CAPTION:
            break
        words += f" {sentence}"
    return latex_text(words)


def latex_text(text: str) -> str:
    """Return a text as one line that LaTeX prints unchanged."""
    escaped = "".join(_SPECIAL.get(character, character) for character in printable(text))
    return re.sub(r"(?<!\S)-(?=\d)", "$-$", escaped)
