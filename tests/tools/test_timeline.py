"""The timeline: each paper once on each of its lanes, few names, and nothing over anything else."""

from __future__ import annotations

import gzip
import random
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

import pytest

from tools import atlas as material
from tools.atlas import Atlas
from tools.data.files import ROOT
from tools.data.papers import Date, first_seen, short_authors
from tools.data.schema import Catalog, Node, Paper
from tools.site.pages.timeline import axis, timeline
from tools.site.pages.timeline.axis import BREAK, FEW, HIGHEST, LOWER, MARGIN, SHORT, STEP, axis_of
from tools.site.pages.timeline.timeline import ASIDE, BOTTOM, ROW, ROWS, TOP, Lane
from tools.site.shared.site import Site

ATLAS = material.load(ROOT)
PAPER = ATLAS.catalog.paper["hu2021lora"]
MANY = 2000


def grown() -> Atlas:
    """More papers, of the real ones' dates, leaves and words; every tenth is to be read first."""
    rng = random.Random(MANY)
    real = ATLAS.catalog.papers
    words = [word for paper in real for word in paper.title.split()]
    names = [paper.authors for paper in real]

    def paper(number: int) -> Paper:
        model = rng.choice(real)
        name, year, word = re.fullmatch(r"([a-z]+)([0-9]{4}|nd)(.*)", model.id).groups()
        changes = {
            "id": f"{rng.choice(real).id[:4]}{name[:3]}{year}{word}{number}",
            "title": " ".join(rng.choices(words, k=len(model.title.split()))),
            "authors": rng.choice(names),
            "start_here": None if number % 10 else "It came before the others.",
        }
        return model.model_copy(update=changes | {"builds_on": (), "related": ()})

    parts = {name: getattr(ATLAS.catalog, name) for name in ("modalities", "taxonomy", "venues")}
    papers = (*real, *map(paper, range(MANY - len(real))))
    return replace(ATLAS, catalog=Catalog.model_construct(**parts, papers=papers))


def dates_of(atlas: Atlas) -> dict[str, Date]:
    return {p.id: date for p in atlas.catalog.papers if (date := first_seen(p))}


def lanes_of(atlas: Atlas) -> tuple[list[Lane], axis.Axis]:
    dates = dates_of(atlas)
    line = axis_of((date.year for date in dates.values()), timeline.crowds(atlas, dates))
    return timeline.lanes(atlas, dates, line), line


def one_lane(papers: Iterable[Paper]) -> tuple[Lane, axis.Axis]:
    """All of them in one branch, in which one method runs."""
    method = ATLAS.methods_of[PAPER.id][0]
    node = Node(id=method.leaf, name="Only", description="A leaf.")
    papers = tuple(p.model_copy(update={"leaves": (node.id,)}) for p in (PAPER, *papers))
    catalog = Catalog.model_construct(taxonomy=(node,), papers=papers)
    (lane,), line = lanes_of(Atlas(catalog, {method.name: method}))
    return lane, line


def of_month(month: str, count: int, **changes: object) -> list[Paper]:
    """Papers that nothing here implements, of one month: "2304"; of "23", of no known month."""
    arxiv = f"{month}.00001" if month[2:] else None
    common = {"arxiv": arxiv, "title": "A study", "start_here": None} | changes
    ids = [f"a20{month[:2]}m{month}n{i}{bool(changes)}" for i in range(count)]
    return [PAPER.model_copy(update={"id": paper_id, **common}) for paper_id in ids]


@pytest.fixture(scope="module", params=["real", "grown"])
def atlas(request: pytest.FixtureRequest) -> Atlas:
    return ATLAS if request.param == "real" else grown()


def test_every_dated_paper_has_a_point_on_each_of_its_lanes(atlas: Atlas) -> None:
    dates = dates_of(atlas)
    lanes, _ = lanes_of(atlas)
    for lane in lanes:
        on_lane = {p.id for p in atlas.papers(lane.node)} & set(dates)
        assert sorted(point.paper.id for point in lane.points) == sorted(on_lane)
    first = [point.paper.id for lane in lanes for point in lane.points if not point.again]
    assert sorted(first) == sorted(dates)
    runs = {point.paper.id for lane in lanes for point in lane.points if point.runs}
    assert runs == set(atlas.methods_of) & set(dates)


def test_no_point_lies_over_another_and_no_lane_is_higher_than_it_may_be(atlas: Atlas) -> None:
    lanes, line = lanes_of(atlas)
    for lane in lanes:
        assert lane.height <= TOP + ROWS * ROW + HIGHEST * STEP + BOTTOM
        places = Counter((point.x, point.y) for point in lane.points)
        assert max(places.values()) == 1
        for (x, y), (other_x, other_y) in combinations(places, 2):
            assert max(abs(x - other_x), abs(y - other_y)) >= STEP
        assert all(TOP < point.y < lane.height - STEP // 2 for point in lane.points)
        assert all(0 < point.x < line.width for point in lane.points)


def test_names_are_few_and_none_is_over_another_or_beyond_the_ends(atlas: Atlas) -> None:
    lanes, line = lanes_of(atlas)
    for lane in lanes:
        named = [point for point in lane.points if point.label]
        assert all(point.runs or point.paper.start_here for point in named)
        rows: dict[int, list[tuple[float, float]]] = {}
        for point in named:
            length = ASIDE + 6 * len(point.label)
            x = (point.x - length, point.x + 4) if point.end else (point.x - 4, point.x + length)
            rows.setdefault(point.y, []).append(x)
            assert x[0] >= 0
            assert x[1] <= line.width
        assert len(rows) <= ROWS
        for (start, end), (other, other_end) in (
            pair for row in rows.values() for pair in combinations(row, 2)
        ):
            assert end <= other or other_end <= start
        highest = min((p.y for p in lane.points if not p.label), default=lane.height)
        assert all(y + ROW // 2 <= highest for y in rows)
    assert any(point.label for lane in lanes for point in lane.points if point.runs)
    assert any(point.label for lane in lanes for point in lane.points if not point.runs)


def test_where_names_are_too_many_what_runs_here_keeps_its_own() -> None:
    lane, _ = one_lane(of_month("2106", 20, start_here="It came first."))  # that of PAPER
    named = [point for point in lane.points if point.label]
    assert ROWS <= len(named) <= 2 * ROWS
    assert PAPER.id in {point.paper.id for point in named}
    assert len(lane.points) == 21


def test_a_name_at_the_right_end_stands_left_of_its_point() -> None:
    first, last = (of_month(month, 1, start_here="It came first.") for month in ("2101", "2112"))
    lane, line = one_lane([*first, *last, *of_month("2112", FEW)])
    ends = {point.date.month: point.end for point in lane.points if point.label}
    assert ends == {1: False, 6: False, 12: True}
    year = line.years[2021]
    assert line.width == year.start + year.length + MARGIN


def test_a_crowded_month_gets_columns_and_not_height() -> None:
    (full, line), (fuller, wider) = (one_lane(of_month("2104", n + HIGHEST)) for n in (0, 1))
    places = [[p.x for p in lane.points if p.date.month == 4] for lane in (full, fuller)]
    assert set(places[0]) == {line.middle(Date(2021, 4))}
    assert len(set(places[1])) == 2
    assert fuller.height < full.height
    assert wider.width == line.width + 12 * STEP


def test_what_has_no_month_stands_behind_december() -> None:
    lane, line = one_lane([*of_month("2112", FEW), *of_month("21", LOWER + 2)])
    year = line.years[2021]
    assert all((point.x > year.apart) == (point.date.month is None) for point in lane.points)
    assert len({point.x for point in lane.points if not point.date.month}) == 2
    assert max(point.x for point in lane.points) < year.start + year.length


def test_years_of_few_papers_are_short_and_empty_ones_shrink_to_a_break() -> None:
    many = [year for year in (2018, 2019, 2021) for _ in range(FEW)]
    line = axis_of([2012, 2014, *many])
    starts = [MARGIN + i * SHORT for i in range(3)] + [MARGIN + 3 * SHORT + BREAK]
    long = MARGIN + 12 * STEP
    starts += [starts[-1] + long, starts[-1] + 2 * long, starts[-1] + 2 * long + SHORT]
    years = [2012, 2013, 2014, 2018, 2019, 2020, 2021]
    assert {number: year.start for number, year in line.years.items()} == dict(
        zip(years, starts, strict=True)
    )
    assert line.breaks == [MARGIN + 3 * SHORT + BREAK // 2]
    for year in (2014, 2018):
        january, december = line.middle(Date(year, 1)), line.middle(Date(year, 12))
        begin = line.years[year].start
        assert begin < january < december < begin + line.years[year].length


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("hu2021lora", "LoRA"),
        ("devlin2018bert", "BERT"),
        ("liu2021ptuningv2", "P-tuning v2"),
        ("schick2020pet", "PET"),
        ("mosbach2020stability", "Mosbach"),
        ("hewitt2019control", "Hewitt and Liang"),
    ],
)
def test_labels_of_the_drawing(name: str, label: str) -> None:
    assert timeline.short_name(ATLAS.catalog.paper[name], ATLAS) == label


def made(atlas: Atlas) -> dict[str, str]:
    return dict(timeline.pages(Site(atlas, "")))


def test_a_point_links_to_its_paper_and_says_title_authors_and_date() -> None:
    text = made(ATLAS)["taxonomy/timeline.md"]
    line = next(line for line in text.splitlines() if "papers/hu2021lora.html" in line)
    assert f"<title>{PAPER.title}&#10;{short_authors(PAPER)}, June 2021&#10;runs here" in line
    assert line.endswith("</a>")
    reasons = [paper.start_here for paper in ATLAS.catalog.papers if paper.start_here]
    assert text.count('class="first"') >= sum("&#10;" + reason in text for reason in reasons) > 9


def test_the_pages_stay_light() -> None:
    """Of a point, what is not its paper's own words takes about a hundred bytes."""
    atlas = grown()
    pages = made(atlas)
    points = [line for line in pages["taxonomy/timeline.md"].splitlines() if "<circle" in line]
    assert len(points) >= MANY
    bare = [re.sub("<(title|text)>?.*?</(title|text)>", "", line) for line in points]
    assert sum(map(len, bare)) / len(bare) < 100
    for text in pages.values():
        assert len(gzip.compress(text.encode())) < 80 * len(atlas.catalog.papers)


def test_the_list_has_every_paper_once_by_its_year() -> None:
    text = made(ATLAS)["taxonomy/by-year.md"]
    assert sorted(re.findall(r'<a href="\.\./papers/(\w+)\.html"', text)) == sorted(
        paper.id for paper in ATLAS.catalog.papers
    )
    part = text.partition('id="year-2021"')[2].partition("<h2")[0]
    assert "papers/hu2021lora.html" in part
    assert "<span>Jun</span>" in part
    assert "\n{: .meta }\n" in text
    assert 'href="by-year.html"' in made(ATLAS)["taxonomy/timeline.md"]


def test_a_catalog_without_dates_still_has_the_pages() -> None:
    node = Node(id="only", name="Only", description="A leaf.")
    paper = PAPER.model_copy(update={"id": "nobodyndpage", "leaves": ("only",), "arxiv": None})
    catalog = Catalog.model_construct(
        modalities=ATLAS.catalog.modalities,
        venues=ATLAS.catalog.venues,
        taxonomy=(node,),
        papers=(paper,),
    )
    pages = made(Atlas(catalog))
    assert "No paper has a date yet." in pages["taxonomy/timeline.md"]
    assert "nobodyndpage" in pages["taxonomy/by-year.md"]
