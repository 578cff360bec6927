"""Figures as PDF files for papers: matplotlib draws the elements of the SVG drawing, in the colours of a light page."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from harness.analysis.report.parts import Figure
from harness.analysis.report.printable import printable
from harness.errors import ConfigError

_COLOURS = re.compile(r"--(\w+): (#\w{6})")
# By CSS class, as in drawing.css: the colour (``c`` is that of the group), the width of the line, and the opacity.
_LINES = {
    "grid": ("rule", 1.0, 1.0),
    "line": ("c", 2.0, 1.0),
    "range": ("c", 1.0, 0.5),
    "mean": ("c", 2.5, 1.0),
    "interval": ("c", 8.0, 0.28),
}
_OTHER = ("faint", 1.0, 0.35)  # a line that only shows where the others are
_ALIGNED = {"start": "left", "end": "right"}


def check_matplotlib() -> None:
    """Raise ConfigError if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ConfigError("--figures pdf: matplotlib is not installed; pip install 'elmo-harness[plots]'") from None


def as_pdf(figure: Figure) -> bytes:
    """Return a figure as a PDF document with text that can be selected; a pixel of the drawing is a point."""
    import matplotlib

    file = BytesIO()
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        canvas_of(figure).savefig(file, format="pdf", metadata={"CreationDate": None, "Title": printable(figure.title)})
    return file.getvalue()


def canvas_of(figure: Figure) -> Any:
    """Return a figure as one of matplotlib."""
    from matplotlib.figure import Figure as Canvas

    drawing = ElementTree.fromstring(figure.drawing)
    width, height = (float(number) for number in drawing.attrib["viewBox"].split()[2:])
    canvas = Canvas(figsize=(width / 72, height / 72))
    axes = canvas.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    style = (Path(__file__).parent / "drawing.css").read_text(encoding="utf-8")
    colours = dict(reversed(_COLOURS.findall(style)))  # the first of a name, which is that of a light page
    _draw(axes, drawing, colours)
    return canvas


def _draw(axes: Any, parent: ElementTree.Element, colours: dict[str, str], group: str = "") -> None:
    """Draw the elements of a group."""
    from matplotlib.patches import Circle, FancyBboxPatch, Polygon

    key = "faint" if "other" in group else f"k{group[1:2]}"
    known = colours | {"c": colours.get(key, colours["ink"])}
    for order, element in enumerate(parent):
        at = element.attrib
        kind = at.get("class", "")
        if element.tag == "g":
            _draw(axes, element, colours, kind)
        elif element.tag == "text":
            _text(axes, element, known)
        elif element.tag == "circle":
            place = (float(at["cx"]), float(at["cy"]))
            axes.add_patch(Circle(place, float(at["r"]), color=known["c"], alpha=0.8, linewidth=0, zorder=2))
        elif element.tag == "polygon":
            axes.add_patch(Polygon(_points(at["points"]), color=known["c"], alpha=0.12, linewidth=0, zorder=1))
        elif element.tag == "rect":
            x, y, wide, high = (float(at[name]) for name in ("x", "y", "width", "height"))
            shape = FancyBboxPatch((x, y), wide, high, boxstyle="round,pad=0,rounding_size=3", linewidth=0)
            shape.set(facecolor=colours["k1"], alpha=float(at["fill-opacity"]))
            axes.add_patch(shape)
        else:
            colour, wide, alpha = _OTHER if "other" in group else _LINES[kind]
            ends = _points(at.get("points", "")) or [(float(at[f"x{i}"]), float(at[f"y{i}"])) for i in (1, 2)]
            dashes = (0, (3, 2)) if "level" in group else "-"
            cap = "round" if kind == "interval" else "butt"
            (line,) = axes.plot(*zip(*ends, strict=True), color=known[colour], linewidth=wide, alpha=alpha)
            line.set(linestyle=dashes, solid_capstyle=cap, zorder=0 if kind == "grid" else 1 + 0.001 * order)


def _text(axes: Any, element: ElementTree.Element, colours: dict[str, str]) -> None:
    """Draw a text."""
    at, kind = element.attrib, element.attrib.get("class", "")
    turned = re.match(r"translate\(([-\d.]+),([-\d.]+)\)", at.get("transform", ""))
    x, y = map(float, turned.groups() if turned else (at["x"], at["y"]))
    axes.text(
        x,
        y,
        element.text or "",
        color=colours[{"start": "ink", "on": "on"}.get(kind, "faint")],
        fontsize=11.5 if kind == "name" else 11,
        horizontalalignment=_ALIGNED.get(kind, "center"),
        verticalalignment="baseline",
        rotation=90 if turned else 0,
        rotation_mode="anchor",
        parse_math=False,
    )


def _points(text: str) -> list[tuple[float, float]]:
    """Return the points in an attribute ``points``."""
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]
