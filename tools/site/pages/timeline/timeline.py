"""The timeline: every paper by the month in which it first appeared, on lanes of the branches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from ....atlas import Atlas
from ....data.papers import Date, first_seen, short_authors
from ....data.schema import Node, Paper
from ...shared.site import Site

# Of the drawing, in its own units: a year, one that stands alone, the place of years left out; a
# row of labels, what is above the first, a letter, a bold one, and the room on either side.
YEAR, ALONE, BREAK = 112, 40, 18
ROW, TOP, LETTER, BOLD = 17, 14, 6.6, 7.5
LEFT, RIGHT = 6, 88


@dataclass(frozen=True)
class Point:
    """A paper on a lane; `row` counts from the top. `again` is true where another lane has it."""

    paper: Paper
    date: Date
    label: str
    x: float
    row: int
    again: bool
    runs: bool


@dataclass(frozen=True)
class Lane:
    """A branch with the points of its entries; of `undated` ones it has no point."""

    node: Node
    points: list[Point]
    undated: int

    @property
    def rows(self) -> int:
        return 1 + max(point.row for point in self.points)


@dataclass(frozen=True)
class Axis:
    """Where each year begins and how long it is, and where empty years are left out."""

    years: dict[int, float]
    lengths: dict[int, float]
    breaks: list[float]
    width: float

    def x(self, date: Date) -> float:
        """The middle of the month, or of the year where no month is known."""
        part = (date.month - 0.5) / 12 if date.month else 0.5
        return round(self.years[date.year] + part * self.lengths[date.year], 1)


def pages(site: Site) -> Iterator[tuple[str, str]]:
    dates = {p.id: date for p in site.catalog.papers if (date := first_seen(p))}
    by_year: dict[int, list[Paper]] = {}
    for paper in sorted(
        (p for p in site.catalog.papers if p.id in dates),
        key=lambda p: (dates[p.id].year, dates[p.id].month or 13, p.id),
    ):
        by_year.setdefault(dates[paper.id].year, []).append(paper)
    axis = axis_of(by_year)
    yield site.render(
        "timeline.md.j2",
        "taxonomy/timeline.md",
        axis=axis,
        lanes=lanes(site.atlas, dates, axis),
        dates=dates,
        by_year=by_year,
        undated=[paper for paper in site.catalog.papers if paper.id not in dates],
        row=ROW,
        top=TOP,
    )


def axis_of(years: Iterable[int]) -> Axis:
    """Years side by side; two or more without papers shrink to a break.

    A year between breaks stands for little and is drawn short.
    """
    known = sorted(years)
    shown = set(known) | {year + 1 for year, later in pairwise(known) if later == year + 2}
    starts: dict[int, float] = {}
    lengths: dict[int, float] = {}
    breaks, x = [], float(LEFT)
    for year in sorted(shown):
        if starts and year - 1 not in shown:
            breaks.append(x + BREAK / 2)
            x += BREAK
        starts[year] = x
        lengths[year] = YEAR if {year - 1, year + 1} & shown else ALONE
        x += lengths[year]
    return Axis(starts, lengths, breaks, x + RIGHT)


def lanes(atlas: Atlas, dates: dict[str, Date], axis: Axis) -> list[Lane]:
    """A lane for every top branch that has dated papers, its labels packed so that none overlap."""
    seen: set[str] = set()
    found = []
    for node in atlas.catalog.taxonomy:
        papers = [paper for paper in atlas.papers(node) if paper.id in dates]
        papers.sort(key=lambda paper: (axis.x(dates[paper.id]), paper.id))
        ends: list[float] = []
        points = []
        for paper in papers:
            x, label = axis.x(dates[paper.id]), short_name(paper, atlas)
            row = next((i for i, end in enumerate(ends) if end <= x - 6), len(ends))
            runs = paper.id in atlas.methods_of
            ends[row : row + 1] = [x + 11 + (BOLD if runs else LETTER) * len(label)]
            points.append(Point(paper, dates[paper.id], label, x, row, paper.id in seen, runs))
        seen.update(paper.id for paper in papers)
        if points:
            found.append(Lane(node, points, len(atlas.papers(node)) - len(points)))
    return found


def short_name(paper: Paper, atlas: Atlas) -> str:
    """What a paper is called in a drawing: by its title's name, its only method, or its authors."""
    name, colon, _ = paper.title.partition(":")
    named = name if colon and len(name) < 16 and " " not in name else ""
    methods = [m.title for m in atlas.methods_of.get(paper.id, []) if paper.kind == "method"]
    if len(methods) == 1 and len(methods[0]) < 20:
        return methods[0] if methods[0].lower().startswith(named.lower()) else named
    authors = short_authors(paper).removesuffix(" et al.")
    return named or (authors if len(authors) < 20 else paper.names[0].family[:18])
