"""The geometry of the plots: positions of values, computed by hand."""

import re

import pytest

from harness.analysis.report.svg import (
    Bars,
    Series,
    bar_chart,
    colour,
    dot_plot,
    heat_map,
    line_chart,
    scale,
    ticks,
)


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


def test_a_higher_score_is_drawn_higher_and_a_later_epoch_further_right() -> None:
    drawing = line_chart("t", [Series(1, [1, 2], [[5, 15, 10], [20, 40, 30]])], x_name="x", y_name="y <&>")
    (line,) = re.findall(r'polyline class="line" points="([^"]+)"', drawing)
    (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in line.split())
    assert x1 < x2
    assert y1 > y2
    assert "y &lt;&amp;&gt;" in drawing


def test_a_dot_is_drawn_at_its_score() -> None:
    drawing = dot_plot("t", {1: [0.0, 50.0, 100.0], 2: [50.0]}, {1: (25.0, 75.0)}, x_name="x")
    left, middle, right, other = attributes(drawing, "circle", "cx")
    assert middle == pytest.approx((left + right) / 2, abs=0.1)
    assert other == middle
    assert attributes(drawing, 'line class="interval"', "x1") == pytest.approx([(left + middle) / 2], abs=0.1)
    assert attributes(drawing, 'line class="mean"', "x1") == pytest.approx([middle, middle], abs=0.1)


def test_the_height_of_a_bar_is_its_mean_weight() -> None:
    drawing = bar_chart("t", [Bars(1, "1", [[0.2], [0.3, 0.5]])], y_name="weight")
    low, high = attributes(drawing, "rect", "height")
    assert high == pytest.approx(2 * low, abs=0.2)


def test_the_line_of_equal_weights_is_that_of_each_mix() -> None:
    """Encoders differ in their number of layers."""
    groups = [Bars(1, "1", [[0.5], [0.5]]), Bars(2, "2", [[0.25]] * 4), Bars(3, "3", [[1.0]])]
    drawing = bar_chart("t", groups, y_name="weight")
    tops = attributes(drawing, 'rect class="bar"', "y")
    lines = [attributes(drawing, 'line class="reference"', name) for name in ("y1", "y2", "x1", "x2")]
    assert lines[0] == lines[1] == [tops[0], tops[2], tops[6]]
    assert lines[3][:2] == lines[2][1:]  # each line ends where the next begins


def test_the_opacity_of_a_cell_is_its_share() -> None:
    drawing = heat_map("t", ["a", "b<"], [[1.0, 0.0], [0.25, 0.75]])
    assert attributes(drawing, "rect", "fill-opacity") == [1.0, 0.03, 0.25, 0.75]
    assert "b&lt; as a: 25.0 %" in drawing


def test_colours_repeat_with_dashed_lines() -> None:
    assert [colour(1), colour(8), colour(9)] == ["c1", "c8", "c1 dashed"]
