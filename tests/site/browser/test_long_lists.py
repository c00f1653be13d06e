"""The list of papers where it holds two thousand of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.filter import build, many, queries
from tests.site.browser.conftest import DESKTOP
from tests.site.browser.listing import ROWS, shown
from tools.atlas import Atlas
from tools.data.papers import last_seen_first
from tools.site.pages.papers.papers import FIRST

MANY = 2000


@pytest.fixture(scope="module")
def large(atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page, *_ = build(many(atlas, MANY), tmp_path_factory.mktemp("large"))
    return page


CHANGES = """(queries) => {
    const field = document.querySelector("[name=words]");
    const watched = {subtree: true, childList: true, attributes: true, characterData: true};
    return queries.map(query => {
        const seen = new MutationObserver(() => {});
        seen.observe(document.querySelector(".listing"), watched);
        field.value = query;
        field.dispatchEvent(new InputEvent("input", {bubbles: true}));
        const changes = seen.takeRecords().length;
        seen.disconnect();
        return changes;
    });
}"""


@pytest.mark.night
def test_a_keystroke_changes_no_row_twice(chromium: Browser, large: Path) -> None:
    """Counted, since a busy machine takes any time; `benchmarks/filter.py` has the milliseconds."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(large.as_uri())
    page.wait_for_selector("form.ready")
    changes = page.evaluate(CHANGES, queries())
    page.close()
    assert 0 < max(changes) <= MANY + 50


@pytest.mark.night
@pytest.mark.parametrize("height", [700, 6000])  # of which one shows the list's end for long
def test_long_lists_are_whole_after_scrolling(
    chromium: Browser, large: Path, atlas: Atlas, height: int
) -> None:
    page = chromium.new_page(viewport={"width": DESKTOP, "height": height})
    page.goto(large.as_uri())
    page.wait_for_selector("form.ready")
    assert page.locator(".listing tbody tr").count() in (FIRST, FIRST + 40)  # a high window scrolls
    while page.locator("button.more").is_visible():
        rows = page.locator(".listing tbody tr").count()
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_function(
            f"""() => {{
                scrollTo(0, document.body.scrollHeight);
                return {ROWS}.length > {rows} || document.querySelector("button.more").hidden;
            }}"""
        )
    ids = shown(page)
    assert ids == [paper.id for paper in last_seen_first(many(atlas, MANY).catalog.papers)]
    page.close()


@pytest.mark.night
def test_the_page_is_small_and_so_is_what_it_loads_later(large: Path) -> None:
    scripts = [large.parent.parent / "export" / f"papers.{name}.js" for name in ("rows", "bib")]
    sizes = [len(gzip.compress(file.read_bytes())) for file in (large, *scripts)]
    assert sizes[0] < 60_000
    assert max(sizes) < 500_000  # of made-up words, which compress worse than real ones
