"""A catalog full of attacks, in a real browser: every page shows them, none runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Dialog

from tests.site.browser.conftest import Visit, settled
from tests.site.building import build_site
from tests.site.serving import served
from tests.site.test_hostile import HOSTILE, hostile_atlas

TURNS = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
SEARCHED = ("evil", "click alert", "<evil-tag", "config 7*7", "javascript onmouseover")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    atlas = hostile_atlas(tmp_path_factory.mktemp("hostile-catalog"))
    paper = atlas.catalog.paper["evil2000text"]
    paper.__dict__["note"] = f"Turned {TURNS} around"
    return build_site(atlas, tmp_path_factory.mktemp("hostile-site"))


@pytest.fixture(scope="module")
def hostile_address(hostile: Path) -> Iterator[str]:
    with served(hostile) as address:
        yield address


@pytest.mark.parametrize("one_of", [12, pytest.param(1, marks=pytest.mark.night)])
def test_no_text_runs_on_any_page(
    visit: Visit, hostile: Path, hostile_address: str, one_of: int
) -> None:
    ran: list[str] = []

    def harmed(dialog: Dialog) -> None:
        ran.append(page.url)
        dialog.dismiss()

    page = visit(f"{hostile_address}index.html")
    page.on("dialog", harmed)
    files = sorted(hostile.rglob("*.html"))
    assert len(files) > len(HOSTILE)
    for file in files[::one_of]:
        page.goto(hostile_address + file.relative_to(hostile).as_posix())
        page.wait_for_load_state()
        text = page.evaluate("document.documentElement.textContent")
        assert not set(text) & set(TURNS), file
        # what a reader does by accident: point at things, open what is folded
        page.evaluate(
            """() => {
                for (const element of document.querySelectorAll("*"))
                    for (const kind of ["mouseover", "focus", "toggle"])
                        element.dispatchEvent(new Event(kind));
                for (const element of document.querySelectorAll("details")) element.open = true;
            }"""
        )
    assert ran == []


def test_no_search_result_runs(visit: Visit, hostile_address: str) -> None:
    ran: list[str] = []
    page = visit(f"{hostile_address}papers/index.html")
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    field = page.locator(".md-search__input")
    for words in SEARCHED:
        field.fill(words)
        field.press("End")  # the search listens to keys
        result = page.locator(".md-search-result__meta").filter(has_text="match")
        result.wait_for(state="attached")
        settled(page)
    assert page.locator(".md-search-result__item").count() > 0
    assert page.locator(".md-search-result evil-tag, .md-search-result img").count() == 0
    assert ran == []
