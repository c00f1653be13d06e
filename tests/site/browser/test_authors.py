"""Authors and venues: from a paper to who wrote it and where it appeared, also without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.site.browser.conftest import PHONE, Visit, overflow, serious

PAPER, AUTHOR = "papers/hu2021lora.html", "Edward J. Hu"


@pytest.mark.parametrize("javascript", [True, False])
def test_a_paper_leads_to_an_author_and_back(visit: Visit, javascript: bool) -> None:
    page = visit(PAPER, width=PHONE, javascript=javascript)
    page.get_by_role("link", name=AUTHOR).click()
    name = page.locator("dt:target")
    expect(name).to_have_text(AUTHOR)
    expect(name).to_be_in_viewport()
    assert overflow(page) <= 0
    anchor = name.get_attribute("id")
    own = page.locator(f"xpath=//dd[preceding-sibling::dt[1][@id='{anchor}']]")
    own.locator("a[href='../papers/hu2021lora.html']").click()
    page.wait_for_url(f"**/{PAPER}")


def test_a_badge_leads_to_its_venue_and_that_to_the_list(visit: Visit) -> None:
    page = visit(PAPER)
    badge = page.locator(".venue-line a.venue")
    badge.hover()
    expect(badge).to_have_css("color", "rgb(255, 255, 255)")
    badge.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("ICLR")
    number = page.locator(".of-venue li").count()
    page.get_by_role("link", name="filter and sort").click()
    page.wait_for_url("**/papers/index.html?venue=ICLR")
    assert page.locator("[name=venue]").input_value() == "ICLR"
    expect(page.locator(".count")).to_contain_text(f"{number} papers")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_long_page_of_authors_is_accessible(visit: Visit, scheme: str) -> None:
    assert serious(visit("authors/u.html", scheme=scheme)) == []
    assert serious(visit("venues/acl.html", scheme=scheme)) == []
