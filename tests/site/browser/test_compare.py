"""The table of all methods in the browser: filters, order, address, points."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.site.browser.conftest import PHONE, Visit, overflow, serious
from tools.atlas import Atlas
from tools.site.shared.boards import measured

PATH = "methods/compare.html"


def shown(page: Page) -> list[str]:
    """The methods in the table, in its order."""
    return page.evaluate(
        "[...document.querySelectorAll('#compare tbody tr')]"
        ".filter(row => row.offsetParent).map(row => row.dataset.method)"
    )


def points(page: Page) -> set[str]:
    """The methods of the points that can be seen in the first chart."""
    return set(
        page.evaluate(
            "[...document.querySelector('.scatter').querySelectorAll('.point')]"
            ".filter(point => getComputedStyle(point).visibility === 'visible')"
            ".map(point => point.dataset.method)"
        )
    )


def test_without_scripts_every_method_is_there(visit: Visit, atlas: Atlas) -> None:
    page = visit(PATH, javascript=False)
    table = page.locator("#compare tbody tr")
    assert table.count() == len(atlas.methods)
    assert page.inner_text("#compare-count") == f"{len(atlas.methods)} methods"
    assert page.locator("#compare thead button").count() == 0


def test_boxes_filter(visit: Visit, atlas: Atlas) -> None:
    page = visit(PATH)
    for name, flag in (("merges", "mergeable"), ("base", "frozen_base"), ("start", "init_noop")):
        page.check(f"[name={name}]")
        wanted = {m.name for m in atlas.methods.values() if getattr(m, flag)}
        assert set(shown(page)) == wanted
        assert page.inner_text("#compare-count") == f"{len(wanted)} of {len(atlas.methods)} methods"
        assert points(page) == wanted & set(measured(atlas)[0].best)
        assert f"{name}=yes" in page.evaluate("location.href")
        page.uncheck(f"[name={name}]")


def test_branch_text_models_and_comparisons_filter(visit: Visit, atlas: Atlas) -> None:
    page = visit(PATH)
    page.select_option("[name=branch]", "Prompt")
    assert set(shown(page)) == {m.name for m in atlas.methods.values() if m.branch == "prompt"}
    page.fill("[name=text]", "TUNING v2")
    assert shown(page) == ["p_tuning_v2"]
    page.fill("[name=text]", "nothing has this")
    assert shown(page) == []
    assert page.inner_text("#compare-count").startswith("0 of")
    page.fill("[name=text]", "")
    page.select_option("[name=branch]", "")
    page.select_option("[name=verified]", "none")
    assert set(shown(page)) == {name for name in atlas.methods if name not in atlas.parity}
    page.select_option("[name=verified]", "")
    page.select_option("[name=model]", "encoder-decoder")
    assert "pet" not in shown(page)
    assert "lora" in shown(page)


def test_columns_sort_both_ways_and_what_is_unknown_comes_last(visit: Visit) -> None:
    page = visit(PATH)
    assert shown(page) == sorted(shown(page), key=page.evaluate(TITLES).get)
    head = page.locator("#compare thead th", has_text="Inference")
    column = page.locator("#compare tbody tr td:nth-child(7)")
    for key, order in (("Enter", "ascending"), ("Space", "descending")):
        head.locator("button").press(key)
        assert head.get_attribute("aria-sort") == order
        cells = column.all_inner_texts()
        known = [float(cell.removeprefix("×")) for cell in cells if cell != "–"]
        assert known == sorted(known, reverse=order == "descending")
        assert len(known) < len(cells)
        assert set(cells[len(known) :]) == {"–"}
    assert page.locator("#compare thead [aria-sort]").count() == 1


TITLES = """() => Object.fromEntries([...document.querySelectorAll('#compare tbody tr')]
    .map(row => [row.dataset.method, row.cells[0].textContent.trim().toLowerCase()]))"""


@pytest.mark.night
def test_the_address_brings_filters_and_order_back(visit: Visit) -> None:
    page = visit(PATH)
    page.fill("[name=text]", "adapter")
    page.check("[name=base]")
    button = page.locator("#compare thead th", has_text="Stored").locator("button")
    button.click()
    button.click()
    again = visit(page.evaluate("location.href"))
    assert again.input_value("[name=text]") == "adapter"
    assert shown(again) == shown(page)
    assert len(shown(page)) > 2
    again.fill("[name=text]", "")
    again.uncheck("[name=base]")
    assert again.evaluate("location.href").endswith("?sort=-stored")


@pytest.mark.night
def test_a_point_shows_its_name_when_focused(visit: Visit) -> None:
    page = visit(PATH)
    crowded = page.locator(".scatter .point.crowded").first
    label = crowded.locator("text")
    assert not label.is_visible()
    crowded.focus()
    assert label.is_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").endswith("%")


def test_filters_are_reached_and_used_by_keys(visit: Visit) -> None:
    page = visit(PATH)
    page.focus("[name=text]")
    page.keyboard.type("lora")
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.is_checked("[name=merges]")
    assert shown(page) == ["lora"]
    assert page.get_attribute("#compare-count", "aria-live") == "polite"


@pytest.mark.night
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_filtered_and_opened_it_stays_accessible(visit: Visit, scheme: str) -> None:
    page = visit(PATH, width=PHONE, scheme=scheme)
    page.check("[name=merges]")
    page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    assert serious(page) == []
    assert overflow(page) <= 0
