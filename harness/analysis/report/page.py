"""A report as one HTML page that needs nothing but itself: no script, no font, no file beside it."""

import re
from html import escape

from harness.analysis.report.document import Document, Section
from harness.analysis.report.figures import Figure
from harness.analysis.report.svg import COLOURS, colour
from harness.analysis.report.tables import Table

_LIGHT = ("#0b6bcb", "#d4541a", "#12855b", "#b8479a", "#6d50c7", "#967009", "#0f8795", "#69707d")
_DARK = ("#6cb6ff", "#ff9a63", "#4fd1a1", "#f08fd2", "#b9a3ff", "#e8c14b", "#56d0de", "#aab2bf")

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --panel: #f6f7f9; --ink: #1c2128; --faint: #5c6470;
  --rule: #dfe3e8; --on: #ffffff; LIGHT }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --panel: #1c2128; --ink: #e4e8ee; --faint: #9aa4b1;
  --rule: #323a45; --on: #14171c; DARK } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 4rem; }
h1 { font-size: 1.75rem; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .75rem; padding-top: 1rem; border-top: 2px solid var(--rule); }
h3 { font-size: 1.02rem; margin: 2rem 0 .5rem; }
p { max-width: 70ch; } .note { color: var(--faint); font-size: .875rem; margin: .5rem 0 0; }
.scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .7rem; text-align: right; vertical-align: top; white-space: nowrap; }
th { background: var(--panel); color: var(--faint); font-weight: 600; vertical-align: bottom; white-space: normal; }
td.wrap { white-space: normal; overflow-wrap: anywhere; min-width: 15rem; }
th.word, td.word { text-align: left; } tbody tr + tr td { border-top: 1px solid var(--rule); }
.figures { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  margin-top: 1.5rem; align-items: start; }
figure { margin: 0; padding: 1rem; background: var(--panel); border-radius: .6rem; min-width: 0; }
figure h3 { margin: 0 0 .5rem; } figcaption { color: var(--faint); font-size: .8125rem; margin-top: .5rem; }
.drawing { overflow-x: auto; } svg { display: block; width: 100%; height: auto; }
svg[width] { width: auto; max-width: none; }
svg text { font-size: 11px; fill: var(--faint); text-anchor: middle; font-family: inherit; }
svg text.end { text-anchor: end; } svg text.start { text-anchor: start; } svg text.name { font-size: 11.5px; }
svg text.on { fill: var(--on); }
.grid { stroke: var(--rule); } .line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.band { fill: var(--c); fill-opacity: .1; } circle { fill: var(--c); fill-opacity: .75; }
.interval { stroke: var(--c); stroke-width: 9; stroke-opacity: .28; stroke-linecap: round; }
.mean { stroke: var(--c); stroke-width: 2.5; } .bar { fill: var(--c); fill-opacity: .8; }
.whisker { stroke: var(--ink); } .reference { stroke: var(--faint); stroke-dasharray: 4 3; }
.dashed .line { stroke-dasharray: 6 3; } .cell { fill: var(--k1); }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem .4rem; margin: .6rem 0 0; padding: 0;
  font-size: .8125rem; }
ul.legend li { display: flex; gap: .5rem; align-items: baseline; overflow-wrap: anywhere; }
ul.legend li.named { flex-basis: 100%; }
.chip { flex: none; display: inline-block; min-width: 1.4rem; padding: 0 .3rem; border-radius: .3rem;
  background: var(--c); color: var(--on); text-align: center; font-weight: 600; font-size: .75rem; }
@media (max-width: 40rem) { td.wrap { min-width: 10rem; } svg:not([width]) text { font-size: 13px; } }
@media print { .scroll { overflow: visible; border: 0; } figure { break-inside: avoid; } }
"""


def page(report: Document, *, title: str) -> str:
    """Return the report as HTML.

    Args:
        report: what it says.
        title: plain words.
    """
    body = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(note)}</p>" for note in report.notes)]
    for section in report.sections:
        body.append(_section(section))
    body += [f"<h2>{escape(report.provenance.title)}</h2>", _cells(report.provenance)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.heading)}</h2>", *(f'<p class="note">{escape(note)}</p>' for note in section.notes)]
    first, *others = section.tables
    drawn = "".join(map(_figure, section.figures))
    parts += [_table(first), f'<div class="figures">{drawn}</div>', *map(_table, others)]
    return "\n".join(parts)


def _table(table: Table) -> str:
    return f"<h3>{escape(table.title)}</h3>\n{_cells(table)}" + (
        f'\n<p class="note">{_words(table.note)}</p>' if table.note else ""
    )


def _cells(table: Table) -> str:
    head = "".join(f"<th{_class(table, i, name)}>{escape(name)}</th>" for i, name in enumerate(table.columns))
    rows = (
        "<tr>"
        + "".join(f"<td{_class(table, i, cell)}>{_cell(table, i, cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{chr(10).join(rows)}</tbody></table></div>'
    )


def _class(table: Table, column: int, text: str) -> str:
    names = [*(["word"] if column < table.words else []), *(["wrap"] if len(text) > 28 else [])]
    return f' class="{" ".join(names)}"' if names else ""


def _cell(table: Table, column: int, text: str) -> str:
    """Return a cell's content; the number of a setting in its colour."""
    return _chip(int(text)) if table.columns[column] == "#" and text.isdigit() else escape(text)


def _chip(number: int) -> str:
    return f'<span class="chip {colour(number)}">{number}</span>'


def _figure(figure: Figure) -> str:
    legend = "".join(
        f"<li{' class=named' if label else ''}>{_chip(number)}{escape(label)}</li>" for number, label in figure.legend
    )
    return (
        f'<figure><h3>{escape(figure.title)}</h3><div class="drawing">{figure.drawing}</div>'
        f'<ul class="legend">{legend}</ul><figcaption>{escape(figure.note)}</figcaption></figure>\n'
    )


def _words(text: str) -> str:
    """Escape words; ``**bold**`` and ``*italic*`` become elements."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text))
    return re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)


def _style() -> str:
    def palette(colours: tuple[str, ...]) -> str:
        return " ".join(f"--k{i}: {value};" for i, value in enumerate(colours, start=1))

    rules = "\n".join(f".c{i} {{ --c: var(--k{i}); }}" for i in range(1, COLOURS + 1))
    return _STYLE.replace("LIGHT", palette(_LIGHT)).replace("DARK", palette(_DARK)) + rules
