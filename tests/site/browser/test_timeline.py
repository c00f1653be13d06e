"""The timeline in a browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.site.browser.conftest import PHONE, Visit, overflow
from tools.atlas import Atlas

PATH = "taxonomy/timeline.html"


def test_typing_dims_points_and_narrows_the_list(visit: Visit) -> None:
    page = visit(PATH)
    page.get_by_label("Find").press_sequentially("schutze")  # found without its umlaut
    visible = page.locator(".years li:visible")
    assert 1 < visible.count() < 20
    assert all("Schütze" in item.inner_text() for item in visible.all())
    bright = page.locator(".timeline a[data-paper]:not(.dim)")
    papers = {link.get_attribute("data-paper") for link in bright.all()}
    assert papers == {item.get_attribute("data-paper") for item in visible.all()}
    expect(page.locator(".map-tools output")).to_contain_text(f"{visible.count()} of")
    assert parse_qs(urlsplit(page.url).query) == {"words": ["schutze"]}


@pytest.mark.night
def test_what_runs_here_is_seen_and_can_be_asked_for(visit: Visit, atlas: Atlas) -> None:
    page = visit(f"{PATH}?runs=1")
    listed = {e.get_attribute("data-paper") for e in page.locator(".years li:visible").all()}
    assert listed == set(atlas.methods_of)

    def fill(paper: str) -> str:
        circle = page.locator(f".timeline a[data-paper={paper}] circle").first
        return circle.evaluate("e => getComputedStyle(e).fill")

    assert fill("hu2021lora") != fill("lin2020versatile")


def test_pointing_and_tabbing_say_what_a_point_stands_for(visit: Visit) -> None:
    page = visit(PATH)
    tip = page.locator(".tip")
    assert not tip.is_visible()
    page.locator(".timeline a[data-paper=hu2021lora]").hover()
    expect(tip).to_contain_text("LoRA: Low-Rank Adaptation")
    expect(tip).to_contain_text("Jun 2021")
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


@pytest.mark.night
def test_each_paper_is_one_stop_of_the_keyboard(visit: Visit) -> None:
    page = visit(PATH)
    stops = page.evaluate(
        "[...document.querySelectorAll('.timeline a[data-paper]')]"
        ".filter(a => a.getAttribute('tabindex') !== '-1').map(a => a.dataset.paper)"
    )
    assert len(stops) == len(set(stops)) > 100


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
    assert seen > page.locator(".timeline circle").count() / 2
    name = page.locator(".lane-name").first
    box.evaluate("e => { e.scrollLeft = 200; }")
    assert 0 <= name.bounding_box()["x"] < 60


@pytest.mark.night
def test_without_scripts_there_are_drawing_and_list(visit: Visit, atlas: Atlas) -> None:
    page = visit(PATH, javascript=False)
    assert page.locator(".years li").count() == len(atlas.catalog.papers)
    assert page.locator(".timeline a title").count() >= len(atlas.catalog.papers) - 1
    assert not page.locator(".map-tools").is_visible()
