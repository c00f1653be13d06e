"""The map of the taxonomy, its matrix and the crosswalk in a browser."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.site.browser.conftest import PHONE, Visit, overflow, serious
from tools.atlas import Atlas

MAP = "taxonomy/index.html"


def shown(page: Page) -> list[str]:
    names = page.locator(".map li > .row > .name")
    return [name.inner_text() for name in names.all() if name.is_visible()]


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_typing_narrows_the_map_to_what_fits_and_what_leads_there(
    visit: Visit, atlas: Atlas
) -> None:
    page = visit(MAP)
    everything = shown(page)
    page.get_by_label("Find a branch or method").press_sequentially("qlor")
    assert shown(page) == ["Reparameterized", "Quantized"]
    expect(page.locator(".map-tools output")).to_contain_text(f"1 of {len(atlas.catalog.nodes)}")
    assert query(page) == {"words": ["qlor"]}
    page.get_by_label("Find a branch or method").fill("")
    assert shown(page) == everything
    assert query(page) == {}


@pytest.mark.night
def test_a_filter_opens_what_was_collapsed_and_gives_it_back(visit: Visit) -> None:
    page = visit(MAP)
    page.get_by_role("button", name="Collapse all").click()
    assert "Low-rank" not in shown(page)
    page.get_by_label("Find a branch or method").fill("lora")
    assert "Low-rank" in shown(page)
    page.get_by_label("Find a branch or method").fill("")
    assert "Low-rank" not in shown(page)
    page.get_by_role("button", name="Expand all").click()
    assert "Low-rank" in shown(page)


@pytest.mark.night
def test_the_address_brings_the_state_back(visit: Visit, atlas: Atlas) -> None:
    page = visit(f"{MAP}?gaps=1")
    assert page.get_by_label("only gaps").is_checked()
    gaps = {leaf.name for leaf in atlas.gaps(atlas.catalog.taxonomy)}
    assert gaps <= set(shown(page))
    assert "Selective" not in shown(page)
    assert shown(visit(f"{MAP}?words=zzz")) == []


def test_the_map_works_by_keyboard_alone(visit: Visit) -> None:
    page = visit(MAP)
    page.locator(".map summary").first.focus()
    page.keyboard.press("Enter")
    assert "Specific" not in shown(page)
    page.keyboard.press("Space")
    assert "Specific" in shown(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Specific"
    page.keyboard.press("Enter")
    page.wait_for_url("**/taxonomy/specific.html")


def test_without_scripts_all_is_there_and_nothing_that_needs_them(
    visit: Visit, atlas: Atlas
) -> None:
    page = visit(MAP, javascript=False)
    assert len(shown(page)) == len(atlas.catalog.nodes)
    assert not page.locator(".map-tools").is_visible()


def test_cells_lead_to_their_papers_and_gaps_lead_nowhere(visit: Visit) -> None:
    page = visit(MAP)
    cell = page.locator(".matrix a[href*='leaf=additive&modality=VLM']")
    assert cell.get_attribute("href") == "../papers/index.html?leaf=additive&modality=VLM"
    assert page.locator(".matrix td.none a").count() == 0
    empty = page.locator(".matrix td.none").first  # nothing collected is no fault to point at
    assert empty.evaluate("e => getComputedStyle(e).backgroundImage") == "none"
    assert cell.evaluate("e => getComputedStyle(e.parentElement).backgroundImage") == "none"


def test_one_survey_of_the_crosswalk(visit: Visit, atlas: Atlas) -> None:
    page = visit("crosswalk.html")
    columns = page.locator(".crosswalk thead th:visible").count()
    page.get_by_label("Han et al. 2024").check()
    assert page.locator(".crosswalk thead th:visible").count() == 2 < columns
    assert page.locator(".cuts .card:visible").count() == 1
    expect(page.locator(".map-tools output")).to_contain_text("leaves cut the same")
    assert query(page) == {"survey": ["han2024peft"]}
    page.reload()
    assert page.get_by_label("Han et al. 2024").is_checked()
    assert page.locator(".crosswalk thead th:visible").count() == 2
    assert serious(page, contrast=False) == []
    page.get_by_label("all surveys").check()
    assert page.locator(".crosswalk thead th:visible").count() == columns
    assert query(page) == {}


@pytest.mark.night
def test_the_leaf_stays_in_sight_when_the_crosswalk_scrolls(visit: Visit) -> None:
    page = visit("crosswalk.html", width=800)
    box, name = page.locator(".scroll"), page.get_by_role("rowheader", name="Low-rank")
    before = name.bounding_box()
    box.evaluate("e => { e.scrollLeft = 300; }")
    assert box.evaluate("e => e.scrollLeft") > 100
    assert name.bounding_box() == before


@pytest.mark.night
def test_on_a_phone_each_cell_of_the_crosswalk_names_its_survey(visit: Visit) -> None:
    page = visit("crosswalk.html", width=PHONE)
    assert overflow(page) <= 0
    cell = page.locator(".crosswalk td").first
    assert "Zhang et al. 2025" in cell.evaluate("e => getComputedStyle(e, '::before').content")
    assert page.get_by_role("cell").count() == page.locator(".crosswalk td").count()


@pytest.mark.night
@pytest.mark.parametrize(
    ("path", "start", "more"),
    [
        (f"{MAP}?words=quantized", ".map li:visible", ".map-tools [type=search]"),
        ("crosswalk.html?survey=han2024peft", ".crosswalk thead th:visible", "[name=survey]"),
    ],
)
def test_the_pages_filter_from_disk(
    chromium: Browser, built: Path, path: str, start: str, more: str
) -> None:
    page = chromium.new_page()
    page.goto(f"file://{built}/{path}")
    assert page.locator(start).count() == 2
    control = page.locator(more).first
    control.check() if control.get_attribute("type") == "radio" else control.fill("")
    assert page.locator(start).count() > 2
    assert urlsplit(page.url).query == ""
    page.close()
