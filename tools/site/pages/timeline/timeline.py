"""The timeline: every paper by the month in which it first appeared, on lanes of the branches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ....atlas import Atlas
from ....data.papers import Date, first_seen, short_authors
from ....data.schema import Node, Paper
from ...shared.site import Site
from .axis import STEP, Axis, axis_of

# Of a lane, in the drawing's units: what is above the first name, a row of names, how many there
# may be, and what is below the last point.
TOP, ROW, ROWS, BOTTOM = 15, 16, 4, 7
# Of a name: a capital, another letter, how much wider both are in bold; from the point to its name,
# and what stays free around both.
CAPITAL, LETTER, BOLD, ASIDE, APART = 8.6, 6.5, 1.1, 8, 6


@dataclass(frozen=True)
class Point:
    """A paper on a lane. It has a label where its name is drawn, which then stands right of it.

    `end` is true where there is no room but left of it, `again` where another lane has the paper.
    """

    paper: Paper
    date: Date
    x: int
    y: int
    runs: bool
    again: bool
    label: str = ""
    end: bool = False


@dataclass(frozen=True)
class Lane:
    """A branch with the points of its entries; of `undated` ones it has no point."""

    node: Node
    points: list[Point]
    undated: int
    height: int


@dataclass(frozen=True)
class Spot:
    """Where a name stands: in which row, and whether left of its point."""

    row: int
    end: bool


def pages(site: Site) -> Iterator[tuple[str, str]]:
    dates = {p.id: date for p in site.catalog.papers if (date := first_seen(p))}
    by_year: dict[int, list[Paper]] = {}
    for paper in sorted(
        (p for p in site.catalog.papers if p.id in dates),
        key=lambda p: (dates[p.id].year, dates[p.id].month or 13, p.id),
    ):
        by_year.setdefault(dates[paper.id].year, []).append(paper)
    axis = axis_of((date.year for date in dates.values()), crowds(site.atlas, dates))
    yield site.render(
        "timeline.md.j2",
        "taxonomy/timeline.md",
        axis=axis,
        lanes=lanes(site.atlas, dates, axis),
        aside=ASIDE,
    )
    yield site.render(
        "by_year.md.j2",
        "taxonomy/by-year.md",
        dates=dates,
        by_year=by_year,
        undated=[paper for paper in site.catalog.papers if paper.id not in dates],
    )


def crowds(atlas: Atlas, dates: dict[str, Date]) -> dict[Date, int]:
    """How many entries of one branch have the same date, at the most."""
    most: Counter[Date] = Counter()
    for node in atlas.catalog.taxonomy:
        most |= Counter(dates[paper.id] for paper in atlas.papers(node) if paper.id in dates)
    return most


def lanes(atlas: Atlas, dates: dict[str, Date], axis: Axis) -> list[Lane]:
    """A lane for every top branch that has dated papers."""
    seen: set[str] = set()
    found = []
    for node in atlas.catalog.taxonomy:
        papers = [paper for paper in atlas.papers(node) if paper.id in dates]
        papers.sort(key=lambda paper: (axis.middle(dates[paper.id]), paper.id))
        if papers:
            points, height = lane(atlas, papers, dates, axis, seen)
            found.append(Lane(node, points, len(atlas.papers(node)) - len(points), height))
        seen.update(paper.id for paper in papers)
    return found


def lane(
    atlas: Atlas, papers: list[Paper], dates: dict[str, Date], axis: Axis, seen: set[str]
) -> tuple[list[Point], int]:
    """The points of a lane and its height.

    Names, each beside its point, stand in rows above. Below them the points of all other papers
    are stacked on the lane's ground, a column or several a month, and none is over another.
    """
    spots = names(atlas, papers, dates, axis)
    ground = TOP + ROW * max((spot.row + 1 for spot in spots.values()), default=0)
    stacks: Counter[int] = Counter()
    above: dict[str, tuple[int, int]] = {}
    for paper in papers:
        if paper.id not in spots:
            x = min(axis.columns(dates[paper.id]), key=lambda column: (stacks[column], column))
            above[paper.id] = (x, stacks[x])
            stacks[x] += 1
    ground += STEP * max(stacks.values(), default=0)
    points = []
    for paper in papers:
        date, runs, again = dates[paper.id], paper.id in atlas.methods_of, paper.id in seen
        if spot := spots.get(paper.id):
            x, y = axis.middle(date), TOP + ROW * spot.row + ROW // 2
            label = short_name(paper, atlas)
            points.append(Point(paper, date, x, y, runs, again, label, spot.end))
        else:
            x, level = above[paper.id]
            points.append(Point(paper, date, x, ground - STEP * level - STEP // 2, runs, again))
    return points, ground + BOTTOM


def names(atlas: Atlas, papers: list[Paper], dates: dict[str, Date], axis: Axis) -> dict[str, Spot]:
    """Where the names stand of what runs here and of what to read first, by the paper's id.

    What runs here comes first. No name is over another or beyond the drawing's ends: one for which
    there is no room is left out.
    """
    wanted = [paper for paper in papers if paper.id in atlas.methods_of]
    wanted += [p for p in papers if p.start_here and p.id not in atlas.methods_of]
    taken: list[list[tuple[float, float]]] = [[] for _ in range(ROWS)]
    found: dict[str, Spot] = {}
    for paper in wanted:
        x, length = axis.middle(dates[paper.id]), extent(paper, atlas)
        for spot in (Spot(row, end) for end in (False, True) for row in range(ROWS)):
            start, end = (x - length, x + APART) if spot.end else (x - APART, x + length)
            free = all(end <= other[0] or other[1] <= start for other in taken[spot.row])
            if free and start >= 0 and end <= axis.width:
                taken[spot.row].append((start, end))
                found[paper.id] = spot
                break
    return found


def extent(paper: Paper, atlas: Atlas) -> float:
    """From a point to the end of its name and of what stays free behind it, at the most."""
    letters = (
        CAPITAL if letter.isupper() or letter in "mw" else LETTER
        for letter in short_name(paper, atlas)
    )
    return ASIDE + sum(letters) * (BOLD if paper.id in atlas.methods_of else 1) + APART


def short_name(paper: Paper, atlas: Atlas) -> str:
    """What a paper is called in a drawing: by its title's name, its only method, or its authors."""
    name, colon, _ = paper.title.partition(":")
    named = name if colon and len(name) < 16 and " " not in name else ""
    methods = [m.title for m in atlas.methods_of.get(paper.id, []) if paper.kind == "method"]
    if len(methods) == 1 and len(methods[0]) < 20:
        return methods[0] if methods[0].lower().startswith(named.lower()) else named
    authors = short_authors(paper).removesuffix(" et al.")
    return named or (authors if len(authors) < 20 else paper.names[0].family[:18])
