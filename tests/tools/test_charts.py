"""Learning curves as SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tools.site.shared.charts import HEIGHT, WIDTH, Line, learning_curve

LINES = [
    Line("Probe", "linear-probe", [(0, 0.5, 0.4, 0.6), (300, 0.75, 0.7, 0.8)]),
    Line("L<o>RA", "method", [(0, 0.5, 0.5, 0.5), (150, 0.9, 0.8, 1.0), (300, 1.0, 1.0, 1.0)]),
]


def numbers(points: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, pair.split(","))) for pair in points.split()]


def test_the_drawing_is_well_formed_and_described() -> None:
    figure = ElementTree.fromstring(learning_curve("Curve & more", LINES, 0.5))
    assert figure.find(".//title").text == "Curve & more"
    assert figure.find(".//desc").text == "Probe ends at 75.0%; L<o>RA ends at 100.0%."
    assert [item.text for item in figure.iter("li")] == ["Probe", "L<o>RA", "chance"]


def test_points_are_where_the_scores_are() -> None:
    svg = learning_curve("Curve", LINES)
    figure = ElementTree.fromstring(svg)
    grid = [float(line.get("y1")) for line in figure.iter("line")]
    bottom, top = max(grid), min(grid)
    (x0, y0), (x1, y1), (x2, y2) = numbers(list(figure.iter("polyline"))[1].get("points"))
    assert (y0, y2) == ((bottom + top) / 2, top)
    assert abs(y1 - (top + 0.1 * (bottom - top))) < 0.1
    assert abs(x1 - (x0 + x2) / 2) < 0.1
    band = numbers(next(figure.iter("polygon")).get("points"))
    assert len(band) == 4
    assert band[0][1] < band[-1][1]  # the highest score is drawn above the lowest


def test_everything_is_inside_the_drawing() -> None:
    svg = learning_curve("Curve", LINES, 0.5)
    for x, y in (
        pair for points in re.findall(r'points="([^"]+)"', svg) for pair in numbers(points)
    ):
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


def test_ticks_are_round_and_few() -> None:
    for last in (1, 7, 25, 300, 1234, 50_000):
        line = Line("a", "method", [(0, 0.5, 0.5, 0.5), (last, 1.0, 1.0, 1.0)])
        figure = ElementTree.fromstring(learning_curve("Curve", [line]))
        ticks = [int(text.text) for text in figure.iter("text") if text.text.isdigit()]
        assert ticks[0] == 0
        assert 2 <= len(ticks) <= 9
        assert ticks[-1] <= last


def test_no_color_is_fixed() -> None:
    assert not re.search(
        r"#[0-9a-f]{3,6}|rgb|style=|fill=|stroke=", learning_curve("C", LINES, 0.5)
    )
