"""The table of methods and architectures in the browser: filters, one method, reasons by key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.site.browser.conftest import PHONE, Visit, overflow, serious
from tests.site.building import build_site
from tests.site.serving import served
from tests.tools.test_models_page import EVIL, write_measured
from tools import atlas as material

NO_QUERY = "a layer has no query: its query is no output of a linear module"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's address, in a site of two methods that were measured."""
    atlas = material.load(write_measured(tmp_path_factory.mktemp("models-catalog")))
    with served(build_site(atlas, tmp_path_factory.mktemp("models-site"))) as address:
        yield f"{address}methods/models.html"


def shown(page: Page) -> list[str]:
    """The architectures in the table."""
    return page.evaluate(
        "[...document.querySelectorAll('#models tbody tr:not(.sum)')]"
        ".filter(row => row.offsetParent).map(row => row.cells[0].textContent)"
    )


def cell(page: Page, name: str, column: int) -> str:
    row = page.locator("#models tr", has=page.locator(f"th:text-is('{name}')"))
    return row.locator("td").nth(column).inner_text()


def test_without_scripts_the_whole_table_and_its_reasons_are_there(
    visit: Visit, models: str
) -> None:
    page = visit(models, javascript=False)
    assert len(page.locator("#models tbody tr:not(.sum)").all()) == 7
    assert not page.locator("#models-filters").is_visible()
    assert page.locator("#models-reasons li").count() == 4
    assert page.locator("#models-reasons li[data-mark='2'] .why").inner_text() == NO_QUERY


def test_names_and_kinds_filter(visit: Visit, models: str) -> None:
    page = visit(models)
    page.fill("[name=words]", "BERT")
    assert shown(page) == ["bert", "ibert"]
    assert page.inner_text("#models-filters output") == "2 of 7 architectures"
    assert not page.locator("#models tbody[data-kind='Decoders']").is_visible()
    page.fill("[name=words]", "")
    page.select_option("[name=kind]", "Encoder-decoders")
    assert shown(page) == ["bart", "new_one", "t5"]
    again = visit(page.evaluate("location.href"))
    assert shown(again) == shown(page)


def test_one_method_is_shown_with_its_reasons_in_full(visit: Visit, models: str) -> None:
    page = visit(models)
    page.select_option("[name=method]", "ia3")
    heads = page.locator("#models thead th[data-method]")
    assert [head.is_visible() for head in heads.all()] == [False, True]
    assert cell(page, "xlnet", 1) == f"2{NO_QUERY}"
    assert cell(page, "bert", 1) == "✓"
    assert page.inner_text("#models-filters output") == "T ia3 runs on 2"
    page.select_option("[name=method]", "")
    assert [head.is_visible() for head in heads.all()] == [True, True]
    assert cell(page, "xlnet", 1) == "2"


def test_keys_lead_from_cell_to_cell_and_tell_the_reason(visit: Visit, models: str) -> None:
    page = visit(models)
    told = page.locator(".told")
    page.focus("[name=method]")
    for _ in range(4):  # the box, two methods, a cell
        page.keyboard.press("Tab")
    assert not told.is_visible()
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    assert told.inner_text() == f"T all on xlnet, refused: {EVIL}"
    page.keyboard.press("ArrowRight")
    assert told.inner_text() == f"T ia3 on xlnet, refused: {NO_QUERY}"
    page.keyboard.press("ArrowDown")  # over the sums of the next kind
    assert told.inner_text() == "T ia3 on gpt2, fault: a cache changes what is written"
    page.keyboard.press("Escape")
    assert not told.is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")  # back to the cell that was left
    assert told.inner_text().startswith("T ia3 on gpt2")


def test_a_touch_tells_the_reason(visit: Visit, models: str) -> None:
    page = visit(models, width=PHONE)
    page.locator("#models td.no").first.click()
    assert page.inner_text(".told") == f"T ia3 on ibert, refused: {NO_QUERY}"
    assert overflow(page) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_with_one_method_and_with_all(
    visit: Visit, models: str, scheme: str
) -> None:
    page = visit(models, scheme=scheme)
    page.locator("#models td.fault").click()
    assert serious(page) == []
    page.select_option("[name=method]", "ia3")
    assert serious(page) == []


def test_an_address_that_names_no_method_shows_all(visit: Visit, models: str) -> None:
    page = visit(f"{models}?method=gone&kind=none&words=xl")
    assert shown(page) == ["xlnet"]
    selects = "[...document.querySelectorAll('#models-filters select')]"
    assert page.evaluate(f"{selects}.map(select => select.selectedOptions[0]?.text)") == [
        "all",
        "all",
    ]
