"""The list of papers where it holds three hundred of them and a thousand."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.filter import build, many, queries
from tests.site.browser.conftest import DESKTOP
from tests.site.browser.listing import ROWS, shown
from tools.atlas import Atlas
from tools.data.papers import newest_first


@pytest.fixture(scope="module")
def large(atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    page, *_ = build(many(atlas, 1000), tmp_path_factory.mktemp("large"))
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
def test_a_keystroke_on_a_thousand_papers_changes_no_row_twice(
    chromium: Browser, large: Path
) -> None:
    """Counted, since a busy machine takes any time; `benchmarks/filter.py` has the milliseconds."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(large.as_uri())
    page.wait_for_selector("form.ready")
    changes = page.evaluate(CHANGES, queries())
    page.close()
    assert 0 < max(changes) <= 1000 + 50


@pytest.mark.night
@pytest.mark.parametrize("height", [700, 6000])  # of which one shows the list's end for long
def test_long_lists_are_whole_after_scrolling(
    chromium: Browser, large: Path, atlas: Atlas, height: int
) -> None:
    page = chromium.new_page(viewport={"width": DESKTOP, "height": height})
    page.goto(large.as_uri())
    page.wait_for_selector("form.ready")
    assert page.locator(".listing tbody tr").count() == 400
    page.evaluate("document.querySelector('button.more').click()")
    assert page.locator(".listing tbody tr").count() == 440
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
    assert ids == [paper.id for paper in newest_first(many(atlas, 1000).catalog.papers)]
    page.close()


@pytest.mark.night
def test_three_hundred_papers_are_under_150_kilobytes(
    atlas: Atlas, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page, *_ = build(many(atlas, 300), tmp_path_factory.mktemp("three-hundred"))
    files = (page, page.parent.parent / "export" / "papers.bib.js")
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 150_000
