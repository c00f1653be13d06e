"""Scores against what they cost, as SVG; the colors come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from ...text.escape import html, safe
from .charts import BOTTOM, HEIGHT, LEFT, LETTER, RIGHT, TOP, WIDTH

Number = Callable[[float], str]
DECADES = 2  # from so many on, only powers of ten are written at the axis


class Axis(NamedTuple):
    """What it is called, how a point's amount is said, and how one at the axis is written."""

    title: str
    said: Number
    tick: Number


class Point(NamedTuple):
    """What a method costs and its score (a fraction, or a similarity); `name` is its slug."""

    label: str
    cost: float
    score: float
    name: str = ""


TRAINED = Axis("trained parameters", "{:,.0f} trained".format, "{:,.0f}".format)


def scatter(
    title: str,
    points: list[Point],
    axis: Axis = TRAINED,
    shown: Number = "{:.1%}".format,
    line: bool = False,
) -> Markup:
    """Scores against costs, these on a logarithmic axis; `shown` writes a score.

    A label is drawn where it hides no other; the others are of points of the class "crowded", for
    the style sheet to show when one of them is pointed at or focused. With `line` those that none
    beats at no more cost are joined: what is below it costs more for less.
    """
    ticks = ticks_of([max(point.cost, 1) for point in points])
    first, last = math.log10(ticks[0]), math.log10(ticks[-1])
    bottom = math.floor(10 * min(point.score for point in points)) / 10
    top = math.ceil(10 * max(point.score for point in points)) / 10
    top = max(top, round(bottom + 0.1, 1))

    def x(cost: float) -> float:
        along = (math.log10(max(cost, 1)) - first) / (last - first)
        return LEFT + along * (WIDTH - LEFT - RIGHT)

    def y(score: float) -> float:
        return TOP + (top - score) / (top - bottom) * (HEIGHT - TOP - BOTTOM)

    drawn = []
    for tenth in range(round(10 * bottom), round(10 * top) + 1):
        height = y(tenth / 10)
        drawn.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
            f'y1="{height:.1f}" y2="{height:.1f}"/><text x="{LEFT - 8}" y="{height:.1f}" '
            f'dy="0.32em" text-anchor="end">{html(_short(shown, tenth / 10))}</text>'
        )
    for tick in ticks:
        anchor = "end" if tick == ticks[-1] else "middle"
        drawn.append(
            f'<text x="{x(tick):.1f}" y="{y(bottom):.1f}" dy="1.5em" '
            f'text-anchor="{anchor}">{html(axis.tick(tick))}</text>'
        )
    drawn.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" '
        f'text-anchor="middle">{html(axis.title)}</text>'
    )
    if line:
        drawn.append(_steps([(x(p.cost), y(p.score)) for p in unbeaten(points)]))
    taken = [(x(p.cost) - 5, y(p.score) - 5, x(p.cost) + 5, y(p.score) + 5) for p in points]
    for point in sorted(points, key=lambda point: point.score):
        across, down = x(point.cost), y(point.score)
        said = html(f"{point.label}: {axis.said(point.cost)}, {shown(point.score)}")
        wide = LETTER * len(point.label)
        sides = ((across + 8, "start"), (across - 8 - wide, "end"))
        inside = [side for side in sides if side[0] > LEFT and side[0] + wide < WIDTH]
        free = [
            side
            for side in inside
            if not any(_overlap((side[0], down - 8, side[0] + wide, down + 8), b) for b in taken)
        ]
        start, anchor = (free or inside or sides)[0]
        if free:
            taken.append((start, down - 8, start + wide, down + 8))
        at = start if anchor == "start" else start + wide
        drawn.append(
            f'<g class="point{"" if free else " crowded"}" tabindex="0" role="img" '
            f'aria-label="{said}" data-method="{html(point.name)}">'
            f'<circle class="method" cx="{across:.1f}" cy="{down:.1f}" r="4">'
            f"<title>{said}</title></circle>"
            f'<text x="{at:.1f}" y="{down:.1f}" dy="0.32em" text-anchor="{anchor}">'
            f"{html(point.label)}</text></g>"
        )
    described = "; ".join(
        f"{p.label}: {axis.said(p.cost)}, ends at {shown(p.score)}" for p in points
    )
    return safe(
        f'<figure class="chart scatter"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" '
        f'aria-label="{html(title)}"><desc>{html(described)}.</desc>{"".join(drawn)}</svg></figure>'
    )


def unbeaten(points: Iterable[Point]) -> list[Point]:
    """Those to which no other has at least the score at no more cost; cheapest first."""
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.score)):
        if not found or point.score > found[-1].score:
            found.append(point)
    return found


def ticks_of(costs: list[float]) -> list[float]:
    """Round amounts of which the first and the last hold all costs between them."""
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    digits = (1,) if high - low > DECADES else (1, 2, 5)
    steps = [digit * 10.0**power for power in range(low, high + 2) for digit in digits]
    first = max(i for i, step in enumerate(steps) if step <= min(costs))
    last = min(i for i, step in enumerate(steps) if step >= max(costs))
    return steps[first : max(last, first + 1) + 1]


def _steps(places: list[tuple[float, float]]) -> str:
    """A line through the places that goes on at one height up to the next."""
    corners = [f"{places[0][0]:.1f},{places[0][1]:.1f}"]
    for (_, before), (across, down) in pairwise(places):
        corners += [f"{across:.1f},{before:.1f}", f"{across:.1f},{down:.1f}"]
    corners.append(f"{WIDTH - RIGHT},{places[-1][1]:.1f}")
    return f'<polyline class="unbeaten" points="{" ".join(corners)}"/>'


def _short(shown: Number, score: float) -> str:
    """A score of one figure behind the comma: '70%', '0.7'."""
    written = shown(score)
    return f"{score:.0%}" if written.endswith("%") else f"{score:.1f}"


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
