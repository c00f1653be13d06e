"""The compare page's two drawings: bars and points."""

from __future__ import annotations

import random
import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

from tools.site.shared.charts import BARS_WIDTH, HEIGHT, LEFT, LETTER, WIDTH, stacked_bars
from tools.site.shared.scatter_chart import Point, scatter, ticks_of, unbeaten

BARS = [("A & b", [1.0, 0.0, 3.0]), ("C", [2.0, 2.0, 4.0])]


def test_bars_are_as_long_as_their_numbers() -> None:
    figure = ElementTree.fromstring(stacked_bars("Bytes", "kB", ["x", "y", "z"], BARS))
    bars = [(r.get("class"), float(r.get("x")), float(r.get("width"))) for r in figure.iter("rect")]
    assert [part for part, *_ in bars] == ["x", "z", "x", "y", "z"]  # nothing is drawn for 0
    one = bars[0][2]
    assert [round(width / one, 2) for *_, width in bars] == [1, 3, 2, 2, 4]
    for (_, start, width), (_, following, _) in ((bars[0], bars[1]), *pairwise(bars[2:])):
        assert abs(start + width - following) < 0.11
    assert max(start + width for _, start, width in bars) < BARS_WIDTH
    assert figure.find(".//desc").text == "A & b ends at 4.00 kB; C ends at 8.00 kB."
    assert [item.text for item in figure.iter("li")] == ["x", "y", "z"]


POINTS = [Point("P", 100, 0.6), Point("Q<", 10_000, 1.0), Point("R", 10_001, 0.999)]


def test_points_are_where_counts_and_scores_are() -> None:
    figure = ElementTree.fromstring(scatter("Scores", POINTS))
    places = {
        circle.find("title").text: (float(circle.get("cx")), float(circle.get("cy")))
        for circle in figure.iter("circle")
    }
    p, q = places["P: 100 trained, 60.0%"], places["Q<: 10,000 trained, 100.0%"]
    ticks = {t.text: float(t.get("x")) for t in figure.iter("text") if t.get("y")}
    assert abs(p[0] - ticks["100"]) < 0.1
    assert abs(q[0] - ticks["10,000"]) < 0.1
    lines = [float(line.get("y1")) for line in figure.iter("line")]
    assert abs(q[1] - min(lines)) < 0.1
    assert abs(p[1] - max(lines)) < 0.1  # the axis goes from the lowest tenth to the highest
    middle = scatter("Scores", [*POINTS, Point("M", 1000, 0.7)])
    assert abs(_height(middle, "M: 1,000 trained, 70.0%") - (max(lines) * 3 + min(lines)) / 4) < 0.1
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places.values())


def _height(chart: str, said: str) -> float:
    circles = ElementTree.fromstring(chart).iter("circle")
    return next(float(c.get("cy")) for c in circles if c.find("title").text == said)


def test_costs_of_one_size_have_an_axis_of_their_own() -> None:
    assert ticks_of([14.2, 57.1]) == [10, 20, 50, 100]
    assert ticks_of([20, 20]) == [20, 50]
    assert ticks_of([100, 5_000_000]) == [100, 1e3, 1e4, 1e5, 1e6, 1e7]


def test_the_line_joins_what_nothing_beats_at_no_more_cost() -> None:
    points = [
        Point("dear and good", 1000, 0.9),
        Point("cheap", 10, 0.6),
        Point("dear and bad", 2000, 0.8),
        Point("as cheap, worse", 10, 0.5),
        Point("middle", 100, 0.7),
        Point("as good, dearer", 500, 0.7),
    ]
    assert [p.label for p in unbeaten(points)] == ["cheap", "middle", "dear and good"]
    figure = ElementTree.fromstring(scatter("Scores", points, line=True))
    (line,) = figure.iter("polyline")
    places = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
    circles = {c.find("title").text.split(":")[0]: c for c in figure.iter("circle")}
    corners = [
        (float(circles[n].get("cx")), float(circles[n].get("cy")))
        for n in ("cheap", "middle", "dear and good")
    ]
    assert places[0::2][:3] == corners
    assert places[1] == (corners[1][0], corners[0][1])  # level up to the next, then up
    assert not list(ElementTree.fromstring(scatter("Scores", points)).iter("polyline"))


def test_no_label_hides_another() -> None:
    crowd = [Point(f"method {i}", 1000 + 10 * i, 0.99) for i in range(20)]
    figure = ElementTree.fromstring(scatter("Scores", crowd))
    points = [g for g in figure.iter("g") if "point" in g.get("class").split()]
    shown = [g for g in points if "crowded" not in g.get("class").split()]
    assert 1 <= len(shown) <= 2
    assert len(points) == len(list(figure.iter("circle"))) == 20


def test_no_label_hides_another_or_leaves_the_drawing() -> None:
    rng = random.Random(0)
    crowd = [
        Point(f"method {i}" + i % 3 * " long", int(10 ** rng.uniform(3, 5)), rng.uniform(0.6, 1))
        for i in range(30)
    ]
    figure = ElementTree.fromstring(scatter("Scores", crowd))
    boxes = []
    for point in figure.iter("g"):
        if point.get("class") == "point":
            label = point.find("text")
            wide = LETTER * len(label.text)
            x = float(label.get("x")) - (wide if label.get("text-anchor") == "end" else 0)
            boxes.append((x, float(label.get("y")), x + wide))
    assert len(boxes) > 8
    for start, _, end in boxes:
        assert start > LEFT
        assert end < WIDTH
    for one, other in combinations(boxes, 2):
        apart = abs(one[1] - other[1]) >= 15.8 or one[2] <= other[0] or other[2] <= one[0]
        assert apart, (one, other)


def test_every_point_can_be_focused_and_says_what_it_is() -> None:
    figure = ElementTree.fromstring(scatter("Scores", [Point("P & q", 100, 0.6, "p_q")]))
    (point,) = (g for g in figure.iter("g") if "point" in g.get("class"))
    assert (point.get("tabindex"), point.get("data-method")) == ("0", "p_q")
    assert point.get("aria-label") == "P & q: 100 trained, 60.0%"
    assert point.find("text").text == "P & q"
    assert 0 < float(point.find("text").get("x")) < WIDTH


def test_no_color_is_fixed() -> None:
    for chart in (stacked_bars("B", "kB", ["x", "y", "z"], BARS), scatter("S", POINTS)):
        assert not re.search(r"#[0-9a-f]{3,6}|rgb|style=|fill=|stroke=", chart)
