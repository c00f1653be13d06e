"""What is new, the guide to choosing and the page that is not found, in a browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.site.browser.conftest import PHONE, Visit, overflow, settled
from tools.atlas import Atlas


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_news_of_one_branch_and_of_what_runs(visit: Visit) -> None:
    page = visit("news.html")
    every = page.locator(".news li").count()
    page.get_by_label("Branch").select_option("Reparameterized")
    found = page.locator(".news li:visible")
    assert 0 < found.count() < every
    for item in found.all():
        assert "reparameterized" in item.get_attribute("data-branches").split()
    expect(page.locator(".map-tools output")).to_have_text(f"{found.count()} of {every} entries")
    page.get_by_label("only what runs here").check()
    assert query(page.url) == {"branch": ["reparameterized"], "runs": ["1"]}
    page.reload()
    assert page.get_by_label("Branch").input_value() == "reparameterized"
    assert all("runs here" in item.inner_text() for item in page.locator(".news li:visible").all())


def test_news_without_scripts(visit: Visit) -> None:
    page = visit("news.html", javascript=False)
    assert page.locator(".news li:visible").count() == page.locator(".news li").count() > 0
    assert not page.locator(".map-tools").is_visible()


def test_needs_narrow_the_table_of_methods(visit: Visit, atlas: Atlas) -> None:
    page = visit("methods/choose.html")
    page.get_by_label("inference must cost nothing extra").check()
    page.get_by_label("the base stays as it is").check()
    names = [name.inner_text() for name in page.locator(".choice tbody th:visible").all()]
    assert sorted(names) == sorted(
        m.title for m in atlas.methods.values() if m.mergeable and m.frozen_base
    )
    expect(page.locator(".map-tools output")).to_have_text(f"2 of {len(atlas.methods)} methods")
    assert query(page.url) == {"need": ["merge base"]}
    page.reload()
    assert page.locator(".choice tbody tr:visible").count() == 2
    page.get_by_label("weights under half").check()
    expect(page.locator(".nothing")).to_be_visible()


@pytest.mark.night
def test_the_guide_narrows_by_keyboard_and_fits_a_phone(visit: Visit) -> None:
    page = visit("methods/choose.html", width=PHONE)
    assert overflow(page) <= 0
    page.locator("[name=need]").first.focus()
    page.keyboard.press("Space")
    rows = page.locator(".choice tbody tr:visible").count()
    assert rows < page.locator(".choice tbody tr").count()
    name = page.locator(".choice tbody th:visible").first
    before = name.bounding_box()["x"]
    page.locator(".scroll:has(.choice)").evaluate("e => { e.scrollLeft = 200; }")
    assert name.bounding_box()["x"] == before


SLIPS = (
    ("papers/hu2021lorra.html", "papers/hu2021lora.html"),
    ("papers/HU2021LoRA", "papers/hu2021lora.html"),
    ("methods/prefixtuning.html", "methods/prefix_tuning.html"),
    ("deep/er/and/deeper/bitfit/", "methods/bitfit.html"),
    ("taxonomy/lowrank.html", "taxonomy/low-rank.html"),
)


@pytest.mark.parametrize("slips", [SLIPS[:1], pytest.param(SLIPS, marks=pytest.mark.night)])
def test_an_address_with_a_slip_finds_what_is_near(
    chromium: Browser, address: str, slips: tuple[tuple[str, str], ...]
) -> None:
    page = chromium.new_page()
    for asked, first in slips:
        page.goto(address + asked)
        link = page.locator("#near li a").first
        expect(link).to_be_visible()
        assert link.get_attribute("href") == address + first
    link.click()
    page.wait_for_url(f"**/{first}")
    page.close()


@pytest.mark.night
def test_an_address_with_nothing_near_has_no_suggestion(chromium: Browser, address: str) -> None:
    page = chromium.new_page()
    faults: list[object] = []
    page.on("pageerror", lambda error: faults.append(error))
    for asked in ("zzzzqqqq", "%E0%A4%A", "x" * 3000):
        with page.expect_response("**/export/addresses.json") as response:
            page.goto(address + asked)
        response.value.finished()
        settled(page)
        assert not page.locator("#near").is_visible()
        assert page.get_by_role("heading", name="Page not found").is_visible()
    assert faults == []
    page.close()
