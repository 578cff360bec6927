"""A report as one HTML page that needs no other file, and its figures as files. The page is a Jinja template."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.analysis.report.document import Document
from harness.analysis.report.parts import Figure
from harness.analysis.report.pdf import as_pdf
from harness.analysis.report.printable import printable
from harness.analysis.report.svg import escaped
from harness.utils.files import replacing, write_text

_FOLDER = Path(__file__).parent


def page(report: Document, *, title: str) -> str:
    """Return a report as HTML.

    Args:
        report: The content of the report.
        title: The title of the page, as plain text.
    """
    return rendered("page.html", title=title, report=report)


def rendered(template: str, **values: Any) -> str:
    """Return a template of this folder with its values; every text is escaped.

    Args:
        template: The name of the file.
        values: The values that it names.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,  # markup is of another type
    )
    return environment.get_template(template).render(**values, style=drawing_style()) + "\n"


def drawing_style() -> str:
    """Return the style sheet of the plots, which the page and the files share."""
    return (_FOLDER / "drawing.css").read_text(encoding="utf-8").rstrip()


def write_figures(figures: Mapping[str, Figure], folder: Path, *, pdf: bool) -> None:
    """Write each figure as an SVG file.

    Args:
        figures: The figures by the names of their files.
        folder: The folder of the files.
        pdf: Whether to write each as a PDF file, too.
    """
    for name, figure in figures.items():
        write_text(folder / f"{name}.svg", standalone(figure))
        if pdf:
            with replacing(folder / f"{name}.pdf") as temporary:
                temporary.write_bytes(as_pdf(figure))


def standalone(figure: Figure) -> str:
    """Return a figure as an SVG document."""
    match = re.match(r'<svg viewBox="([\d. ]+)"[^>]*>', figure.drawing)
    assert match is not None
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{match[1]}" role="img" '
        f'aria-label="{escaped(figure.title)}" font-family="sans-serif">\n<style>\n{drawing_style()}\n</style>\n'
        f'<rect width="100%" height="100%" fill="var(--paper)"/>\n{figure.drawing[match.end() :]}\n'
    )
