"""Figures as PDF files: the size of the drawing, marks at the same places, one line if matplotlib is missing."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.analysis.report.axis import Scale
from harness.analysis.report.parts import Figure
from harness.analysis.report.pdf import as_pdf, canvas_of
from harness.analysis.report.svg import Row, Series, dot_plot, heat_map, line_chart
from harness.commands.report import main
from tests.support.reports import write_results

pytest.importorskip("matplotlib", reason="needs the extra plots")
BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xC4, 0x4F, 0x00)


def pixels(figure: Figure) -> np.ndarray:
    """Return the colours of a figure, one pixel of the drawing each: (height, width, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(canvas_of(figure))
    canvas.figure.set_dpi(72)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].astype(int)


def is_near(colour: np.ndarray, wanted: tuple[int, int, int]) -> bool:
    return bool(np.abs(colour - wanted).max() < 60)


def test_marks_are_where_the_drawing_has_them() -> None:
    rows = [Row("usual", [10.0, 40.0], (5.0, 45.0)), Row("best $x^2$", [30.0], None, "c2")]
    figure = Figure("t", dot_plot("t", rows, x_name="x & y"), "")
    shown = pixels(figure)
    groups = re.findall(r'<g class="(c\d)">(.*?)</g>', figure.drawing)
    assert len(groups) == 2
    for kind, group in groups:
        for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', group):
            assert is_near(shown[int(float(y)), int(float(x))], BLUE if kind == "c1" else ORANGE), (kind, x, y)
    assert is_near(shown[2, -2], (255, 255, 255))


def test_the_page_has_the_size_of_the_drawing_and_is_reproducible() -> None:
    series = [Series(f"line {i}", [1, 2, 3], [[i], [2 * i], [i]]) for i in range(10)]
    charts = [line_chart("t", some, x=Scale("x", "whole"), y=Scale("y")) for some in (series, series[:3])]
    charts.append(line_chart("t", [*series[:2], Series("level", [0], [[2.0]])], x=Scale("x", "whole"), y=Scale("y")))
    for drawing in (*charts, heat_map("t", ["a", "b"], [[1.0, 0.0], [0.25, 0.75]])):
        width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)[0]
        file = as_pdf(Figure("t", drawing, ""))
        assert file.startswith(b"%PDF")
        (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", file)
        assert [float(end) for end in box] == pytest.approx([float(width), float(height)], abs=0.01)
        assert as_pdf(Figure("t", drawing, "")) == file


def test_the_command_writes_a_pdf_beside_each_svg(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_results(tmp_path / "results")
    asked = [str(tmp_path / "results"), "--rounds", "0", "--figures", "pdf"]
    assert main([*asked, "--out", str(tmp_path / "out")]) == 0
    kinds = [{path.stem for path in (tmp_path / "out" / "figures").glob(f"*.{kind}")} for kind in ("svg", "pdf")]
    assert kinds[0] == kinds[1]
    assert len(kinds[0]) > 4
    assert main(asked) == 2
    assert capsys.readouterr().err == "error: --figures pdf needs a folder for its files; add --out FOLDER\n"


def test_without_matplotlib_the_error_names_the_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(tmp_path / "results")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    asked = [str(tmp_path / "results"), "--out", str(tmp_path / "out"), "--rounds", "0"]
    assert main([*asked, "--figures", "pdf"]) == 2
    line = "error: --figures pdf: matplotlib is not installed; pip install 'elmo-harness[plots]'\n"
    assert capsys.readouterr().err == line
    assert not (tmp_path / "out").exists()
    assert main(asked) == 0
