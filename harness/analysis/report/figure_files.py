"""The figures of a report as SVG files, each with its style and its legend, for a README or a paper."""

import re
from collections.abc import Sequence
from pathlib import Path

from harness.analysis.report.document import Document
from harness.analysis.report.figures import Figure
from harness.analysis.report.svg import colour, escaped

_LINE = 16  # pixels per line of the legend


def drawing_style() -> str:
    """Return the style sheet of the plots, which the page and the files share."""
    return Path(__file__).with_name("drawing.css").read_text(encoding="utf-8").rstrip()


def figure_files(report: Document) -> dict[str, str]:
    """Return the content of each SVG file by its name: the number of its section, then its title."""
    return {
        f"{number}-{re.sub(r'[^a-z0-9]+', '-', figure.title.lower()).strip('-')}.svg": standalone(figure)
        for number, section in enumerate(report.sections, start=1)
        for figure in section.figures
    }


def standalone(figure: Figure) -> str:
    """Return a figure as an SVG document, with the legend below the plot."""
    match = re.match(r'<svg viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>', figure.drawing)
    assert match is not None
    width, height = float(match[1]), float(match[2])
    legend = _legend([(number, label) for number, label in figure.legend if label], height)
    total = height + _LINE * (legend.count("<text") // 2) + (8 if legend else 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {total:g}" role="img" '
        f'aria-label="{escaped(figure.title)}" font-family="sans-serif">\n<style>\n{drawing_style()}\n</style>\n'
        f'<rect width="100%" height="100%" fill="var(--paper)"/>\n'
        f"{figure.drawing[match.end() :].removesuffix('</svg>')}{legend}</svg>\n"
    )


def _legend(entries: Sequence[tuple[int, str]], top: float) -> str:
    """Return one line per setting: its number in its colour, and its label."""
    lines = []
    for row, (number, label) in enumerate(entries, start=1):
        y = f"{top + _LINE * row:g}"
        mark = f'<text x="14" y="{y}" style="fill: var(--c)">{number}</text>'
        lines.append(
            f'<g class="{colour(number)}">{mark}<text class="start" x="28" y="{y}">{escaped(label)}</text></g>'
        )
    return "".join(lines)
