"""The timeline in a browser."""

from __future__ import annotations

from itertools import combinations
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.site.browser.conftest import PHONE, Visit, overflow
from tools.atlas import Atlas
from tools.data.papers import first_seen
from tools.site.pages.timeline.timeline import short_name

PATH, LIST = "taxonomy/timeline.html", "taxonomy/by-year.html"
PAPER = ".timeline a[href*=hu2021lora]"
FOUND = "text.found"
# Of each lane its own box, and those of the names that are shown, with their words.
LANES = """[...document.querySelectorAll(".timeline svg")].map(svg => {
    const box = (e) => {
        const {left, right, top, bottom} = e.getBoundingClientRect();
        return [left, right, top, bottom];
    };
    const shown = (text) => text.getBoundingClientRect().width > 0;
    const texts = [...svg.querySelectorAll("a text")].filter(shown);
    return [box(svg), texts.map(text => [text.textContent, box(text)])];
})"""
SLACK = 0.5  # of a pixel


def ids(page: Page, links: str) -> set[str]:
    """The papers that points link to."""
    return set(
        page.evaluate(
            "all => [...document.querySelectorAll(all)]"
            r".map(a => a.getAttribute('href').match(/(\w+)\.html/)[1])",
            links,
        )
    )


def over(one: list[float], other: list[float]) -> bool:
    sides = ((one[i], one[i + 1], other[i], other[i + 1]) for i in (0, 2))
    return all(a < d - SLACK and c < b - SLACK for a, b, c, d in sides)


def apart(page: Page) -> int:
    """How many names there are, none of which lies over another or an edge of its lane."""
    lanes = page.evaluate(LANES)
    for (left, right, top, bottom), names in lanes:
        for word, box in names:
            assert left - SLACK <= box[0] < box[1] <= right + SLACK, word
            assert top - SLACK <= box[2] < box[3] <= bottom + SLACK, word
        for (word, box), (other, its) in combinations(names, 2):
            assert not over(box, its), (word, other)
    return sum(len(names) for _, names in lanes)


@pytest.mark.parametrize("width", [1280, PHONE])
def test_no_name_lies_over_another_or_an_edge(visit: Visit, atlas: Atlas, width: int) -> None:
    page = visit(PATH, width=width)
    assert len(atlas.methods_of) <= apart(page) < 400
    page.get_by_role("searchbox", name="Find").fill(
        "learning"
    )  # the names of what is found come to those
    expect(page.locator(".map-tools output")).to_contain_text(" of ")
    assert apart(page) > page.locator(FOUND).count() > 5
    for query in ("tuning", "2024", "t"):
        page.get_by_role("searchbox", name="Find").fill(query)
        apart(page)


def test_typing_dims_points_and_names_what_is_found(visit: Visit, atlas: Atlas) -> None:
    page = visit(PATH)
    page.get_by_role("searchbox", name="Find").press_sequentially(
        "schutze"
    )  # found without its umlaut
    found = ids(page, ".timeline svg a:not(.dim)")
    assert 1 < len(found) < 30
    assert all("Schütze" in str(atlas.catalog.paper[paper].authors) for paper in found)
    expect(page.locator(".map-tools output")).to_contain_text(f"{len(found)} of")
    assert parse_qs(urlsplit(page.url).query) == {"words": ["schutze"]}
    assert page.locator(".timeline a.dim text:visible").count() == 0
    names = page.locator(FOUND).all_text_contents()
    assert names
    assert all("Schütze" in name for name in names if " and " in name)
    page.get_by_role("searchbox", name="Find").fill("")
    assert page.locator(f"{FOUND}, .timeline a.dim").count() == 0
    assert page.locator(".map-tools output").inner_text() == ""


def test_a_found_paper_is_called_what_the_page_would_call_it(visit: Visit, atlas: Atlas) -> None:
    page = visit(PATH)
    kinds: dict[str, list[tuple[str, str]]] = {"title": [], "author": [], "authors": []}
    for paper in atlas.catalog.papers:
        if first_seen(paper) and not paper.start_here and paper.id not in atlas.methods_of:
            name = short_name(paper, atlas)
            kind = "authors" if " and " in name else "author"
            titled = paper.title.startswith(f"{name}:")
            kinds["title" if titled else kind].append((paper.id, name))
    for papers in kinds.values():
        for paper_id, name in papers[:: len(papers) // 4]:
            page.get_by_role("searchbox", name="Find").fill(paper_id)
            assert set(page.locator(FOUND).all_text_contents()) == {name}


def test_what_is_found_can_be_seen_in_the_list_of_papers(visit: Visit) -> None:
    page = visit(PATH)
    link = page.get_by_role("link", name="In the list of papers")
    expect(link).to_be_hidden()
    page.get_by_role("searchbox", name="Find").fill("prefix")
    page.get_by_role("checkbox", name="only what runs here").check()
    link.click()
    page.wait_for_selector("form.ready")
    assert page.get_by_label("Words in title").input_value() == "prefix"
    assert page.get_by_label("Implemented here").is_checked()


@pytest.mark.night
def test_what_runs_here_is_seen_and_can_be_asked_for(visit: Visit, atlas: Atlas) -> None:
    page = visit(f"{PATH}?runs=1")
    assert ids(page, ".timeline svg a:not(.dim)") == set(atlas.methods_of)

    def fill(paper: str) -> str:
        circle = page.locator(f".timeline a[href*={paper}] circle").first
        return circle.evaluate("e => getComputedStyle(e).fill")

    assert fill("hu2021lora") != fill("lin2020versatile")


def test_on_a_narrow_screen_what_is_found_comes_in_sight(visit: Visit) -> None:
    page = visit(PATH, width=PHONE)
    page.get_by_role("searchbox", name="Find").fill("bert: pre-training")
    x = page.locator(".timeline a:not(.dim) circle").first.bounding_box()["x"]
    assert 0 < x < PHONE


def test_pointing_and_tabbing_say_what_a_point_stands_for(visit: Visit) -> None:
    page = visit(PATH)
    tip = page.locator(".tip")
    assert not tip.is_visible()
    page.locator(f"{PAPER} circle").hover()
    expect(tip).to_contain_text("LoRA: Low-Rank Adaptation")
    expect(tip).to_contain_text("Hu et al., June 2021")
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    first = page.locator(".timeline svg a").first
    first.focus()
    expect(tip).to_be_visible()
    assert first.get_attribute("aria-label")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    page.keyboard.press("Enter")
    page.wait_for_url("**/papers/*.html")


def test_a_lane_is_one_stop_of_the_keyboard_and_arrows_go_along_it(visit: Visit) -> None:
    page = visit(PATH)
    stops = page.locator(".timeline svg a:not([tabindex='-1'])")
    assert stops.count() == page.locator(".timeline svg").count()
    link = "document.activeElement.getAttribute('href')"
    stops.first.focus()
    first = page.evaluate(link)
    page.keyboard.press("ArrowRight")
    second = page.evaluate(link)
    assert first != second
    assert stops.first.get_attribute("href") == second  # where one comes back to
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(link) == first
    page.get_by_role("searchbox", name="Find").fill("lora")
    found = page.locator(".lane:has(a:not(.dim) circle)").count()
    assert 1 < stops.count() == found < page.locator(".lane").count()
    stops.first.focus()
    page.keyboard.press("ArrowRight")
    here = page.locator(".timeline a:focus")
    assert "lora" in here.get_attribute("aria-label").lower()
    box, circle = page.locator(".timeline").bounding_box(), here.locator("circle").bounding_box()
    assert box["x"] < circle["x"] < box["x"] + box["width"]


@pytest.mark.night
def test_a_phone_scrolls_the_drawing_and_not_the_page(visit: Visit) -> None:
    page = visit(PATH, width=PHONE)
    assert overflow(page) <= 0
    box = page.locator(".timeline")
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    seen = page.evaluate(
        "[...document.querySelectorAll('.timeline circle')].map(e => e.getBoundingClientRect().x)"
        f".filter(x => 0 < x && x < {PHONE}).length"
    )
    assert seen > page.locator(".timeline circle").count() / 5
    name = page.locator(".lane-name").first
    box.evaluate("e => { e.scrollLeft = 200; }")
    assert 0 <= name.bounding_box()["x"] < 60


def test_each_lane_shows_the_axis_of_the_first(visit: Visit) -> None:
    """The other lanes draw copies of it, for which some rules of style do not hold."""
    page = visit(PATH)
    lanes = page.locator(".lane.main svg")
    lanes.nth(1).scroll_into_view_if_needed()
    ground = page.locator(".axis rect").last.bounding_box()
    shots = [
        page.screenshot(clip={"x": ground["x"] + 1, "y": y + 3, "width": 4, "height": 1})
        for y in (lanes.nth(i).bounding_box()["y"] for i in range(2))
    ]
    assert shots[0] == shots[1]
    empty = {"x": ground["x"] - 9, "y": ground["y"] + 3, "width": 4, "height": 1}
    assert shots[0] != page.screenshot(clip=empty)


@pytest.mark.night
def test_without_scripts_there_are_drawing_and_list(visit: Visit, atlas: Atlas) -> None:
    page = visit(PATH, javascript=False)
    papers = {paper.id for paper in atlas.catalog.papers}
    drawn = ids(page, ".timeline svg a")
    assert len(papers - drawn) < 5  # those without a date
    assert page.locator(".timeline svg a title").count() == page.locator(".timeline svg a").count()
    assert not page.locator(".map-tools").is_visible()
    page.get_by_role("link", name="The same as a list").click()
    page.wait_for_url(f"**/{LIST}")
    assert page.locator(".years li").count() == len(papers)
    assert ids(page, ".years li a[href*='papers/']") == papers


@pytest.mark.night
def test_the_list_fits_a_phone(visit: Visit) -> None:
    page = visit(LIST, width=PHONE)
    assert overflow(page) <= 0
    page.get_by_role("link", name="2021", exact=True).click()
    expect(page.locator("#year-2021")).to_be_in_viewport()
