"""The geometry of the plots: positions of values, computed by hand."""

import re

import pytest

from harness.analysis.report.axis import Scale, scale, ticks
from harness.analysis.report.svg import Row, Series, dot_plot, heat_map, line_chart, shortened

X, Y = Scale("epoch", "whole"), Scale("y <&>")


def attributes(drawing: str, element: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf'<{element} [^>]*?\b{name}="([\d.]+)"', drawing)]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (3.0, 97.0, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]),
        (40.0, 42.0, [40.0, 40.5, 41.0, 41.5, 42.0]),
        (-3.0, 4.0, [-4.0, -2.0, 0.0, 2.0, 4.0]),
    ],
)
def test_ticks_are_round_and_include_the_range(low: float, high: float, expected: list[float]) -> None:
    assert ticks([low, high]) == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 5.0, -2.0])
def test_a_single_value_has_ticks(value: float) -> None:
    found = ticks([value])
    assert len(found) >= 2
    assert found[0] <= value <= found[-1]


def test_scales() -> None:
    assert scale([0, 10], 100, 200)(2.5) == 125
    assert scale([1, 100], 0, 200, logarithmic=True)(10) == pytest.approx(100)
    assert scale([5, 5], 0, 200)(5) == 0


def test_whole_numbers_have_ticks_at_whole_numbers() -> None:
    assert ticks([1, 3], whole=True) == [1, 2, 3]
    assert ticks([0, 20], whole=True) == [0, 5, 10, 15, 20]
    drawing = line_chart("t", [Series("a", [1, 2, 3], [[5], [6], [7]])], x=X, y=Y)
    assert re.findall(r'<text class="" [^>]*>([^<]+)</text>', drawing) == ["1", "2", "3"]


def test_a_higher_score_is_drawn_higher_and_a_later_epoch_further_right() -> None:
    drawing = line_chart("t", [Series("a<b", [1, 2], [[5, 15, 10], [20, 40, 30]])], x=X, y=Y)
    (line,) = re.findall(r'polyline class="line" points="([^"]+)"', drawing)
    (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in line.split())
    assert x1 < x2
    assert y1 > y2
    assert "y &lt;&amp;&gt;" in drawing
    assert "a&lt;b</text>" in drawing


def test_equal_ratios_have_equal_lengths_on_a_logarithmic_axis() -> None:
    drawing = line_chart("t", [Series("a", [1, 10, 100], [[1], [2], [3]])], x=Scale("n", "log"), y=Y)
    one, ten, hundred = attributes(drawing, "circle", "cx")
    assert ten - one == pytest.approx(hundred - ten, abs=0.2)


def test_a_single_point_is_a_level_across_the_plot() -> None:
    several = [Series("a", [0, 1, 2], [[1], [2], [3]]), Series("level", [0], [[2, 4]])]
    drawing = line_chart("t", several, x=Scale("layer", "whole"), y=Y)
    path, level = re.findall(r'polyline class="line" points="([^"]+)"', drawing)
    assert len({point.split(",")[1] for point in level.split()}) == 1
    assert [point.split(",")[0] for point in level.split()] == [path.split()[i].split(",")[0] for i in (0, 2)]


@pytest.mark.parametrize("count", [8, 9, 30])
def test_no_colour_is_used_twice_in_a_panel(count: int) -> None:
    """More than eight lines: each has a panel of its own, in which the others are grey."""
    several = [Series(f"line {i}", [1, 2], [[i], [i + 1]]) for i in range(count)]
    drawing = line_chart("t", several, x=X, y=Y)
    kinds = re.findall(r'<g class="(\w+)"><polygon', drawing)
    if count == 8:
        assert sorted(kinds) == [f"c{i}" for i in range(1, 9)]
    else:
        assert kinds == ["c1"] * count
        assert drawing.count('<g class="other">') == count * (count - 1)
    assert all(f">line {i}</text>" in drawing for i in range(count))


def test_a_dot_is_drawn_at_its_score() -> None:
    rows = [Row("a", [0.0, 50.0, 100.0], (25.0, 75.0)), Row("b", [50.0], None, "c2")]
    drawing = dot_plot("t", rows, x_name="x")
    left, middle, right, other = attributes(drawing, "circle", "cx")
    assert middle == pytest.approx((left + right) / 2, abs=0.1)
    assert other == middle
    assert attributes(drawing, 'line class="interval"', "x1") == pytest.approx([(left + middle) / 2], abs=0.1)
    assert attributes(drawing, 'line class="mean"', "x1") == pytest.approx([middle, middle], abs=0.1)


def test_the_opacity_of_a_cell_is_its_share_and_both_axes_have_titles() -> None:
    drawing = heat_map("t", ["a", "b<"], [[1.0, 0.0], [0.25, 0.75]])
    assert attributes(drawing, "rect", "fill-opacity") == [1.0, 0.03, 0.25, 0.75]
    assert "b&lt;</text>" in drawing
    assert ">predicted</text>" in drawing
    assert ">gold</text>" in drawing


def test_a_long_label_keeps_its_beginning_and_its_end() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghijkl", 10) == "abcd…hijkl"
