"""The home page in a real browser: a way in for each task, without JavaScript too."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.site.browser.conftest import PHONE, Visit
from tools.atlas import Atlas


def test_what_is_looked_for_reaches_the_table_of_papers(visit: Visit) -> None:
    page = visit("index.html", javascript=False)
    page.get_by_label("Find a paper, a method or an author").fill("Rücklé & co")
    page.keyboard.press("Enter")
    page.wait_for_url("**/papers/index.html?*")
    assert parse_qs(urlsplit(page.url).query) == {"q": ["Rücklé & co"]}


def test_a_method_is_one_click_away(visit: Visit, atlas: Atlas) -> None:
    page = visit("index.html", javascript=False)
    links = page.locator(".gallery a")
    assert sorted(links.all_inner_texts()) == sorted(m.title for m in atlas.methods.values())
    page.get_by_role("link", name="QLoRA", exact=True).click()
    page.wait_for_url("**/methods/qlora.html")


@pytest.mark.night
def test_a_whole_route_card_is_a_link(visit: Visit) -> None:
    page = visit("index.html", width=PHONE, javascript=False)
    card = page.locator(".routes li").filter(has_text="Choose one")
    card.click(position={"x": 10, "y": card.bounding_box()["height"] - 6})
    page.wait_for_url("**/methods/choose.html")
