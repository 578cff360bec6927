"""A report as one HTML page that needs no other file. The page itself is the Jinja template ``page.html``."""

from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template

from harness.analysis.report.document import Document
from harness.analysis.report.figure_files import drawing_style
from harness.analysis.report.printable import printable
from harness.analysis.report.svg import colour


def page(report: Document, *, title: str) -> str:
    """Return a report as HTML.

    Args:
        report: The content of the report.
        title: The title of the page, as plain text.
    """
    source = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    template = Template(
        source, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, finalize=_shown
    )
    return template.render(title=title, report=report, colour=colour, style=drawing_style()) + "\n"


def _shown(value: Any) -> Any:
    """Return what the template shows for a value; it marks drawings and the style sheet as HTML."""
    return printable(value) if type(value) is str else value
