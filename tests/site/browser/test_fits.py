"""What fits, in the browser: the numbers of Python, by the form and by the address."""

from __future__ import annotations

import random

import pytest
from playwright.sync_api import Page

from tests.site.browser.conftest import PHONE, Visit, overflow, serious
from tools.atlas import Atlas
from tools.data.closed_forms import architectures
from tools.site.pages.fits import fits

PATH = "methods/fits.html"


def shown(page: Page) -> list[list[str]]:
    """The cells of the table."""
    return page.evaluate(
        "[...document.querySelectorAll('#fits tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )


def expected(atlas: Atlas, model: str, setting: str, tokens: int) -> list[list[str]]:
    return [
        [row.title, fits.amount(row.least), *(f"{n:,}" if n else "–" for n in row.rows)]
        for row in fits.table(atlas, model, setting, tokens)
    ]


@pytest.mark.parametrize("javascript", [True, False])
def test_the_page_starts_with_what_python_says(
    visit: Visit, atlas: Atlas, javascript: bool
) -> None:
    page = visit(PATH, javascript=javascript)
    assert shown(page) == expected(atlas, fits.ARCHITECTURE, fits.SETTING, fits.LENGTH)
    if not javascript:
        assert page.locator("noscript").count()


def test_the_browser_computes_what_python_computes(visit: Visit, atlas: Atlas) -> None:
    draw, page = random.Random(1), visit(PATH)
    for model in atlas.memory:
        longest = architectures()[model]["dimensions"].get("P", 4096)
        for setting in fits.settings(atlas):
            tokens = draw.randint(16, longest)
            page.locator("[name=model]").select_option(model)
            page.locator("[name=setting]").select_option(setting)
            page.locator("[name=tokens]").fill(str(tokens))
            assert shown(page) == expected(atlas, model, setting, tokens), (model, setting, tokens)


def test_the_address_keeps_what_is_asked_for(visit: Visit, atlas: Atlas) -> None:
    page = visit(PATH)
    page.locator("[name=setting]").select_option("float32")
    page.locator("[name=tokens]").fill("77")
    again = visit(PATH + page.evaluate("location.search"))
    assert again.locator("[name=setting]").input_value() == "float32"
    assert shown(again) == expected(atlas, fits.ARCHITECTURE, "float32", 77)
    odd = visit(PATH + "?model=none&setting=odd&tokens=64&evil=<b>")
    assert shown(odd) == expected(atlas, fits.ARCHITECTURE, fits.SETTING, 64)


def test_rows_that_are_too_long_are_said_and_what_is_shown_is_not_theirs(visit: Visit) -> None:
    page = visit(PATH)
    before = shown(page)
    page.locator("[name=tokens]").fill("4097")
    assert page.locator("#fits-fault").inner_text() == (
        "Llama 2 7B takes rows of 16 to 4,096 tokens."
    )
    assert "stale" in page.locator("#fits").get_attribute("class")
    assert shown(page) == before
    page.locator("[name=tokens]").fill("4096")
    assert page.locator("#fits-fault").inner_text() == ""
    assert "stale" not in page.locator("#fits").get_attribute("class")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_is_accessible(visit: Visit, scheme: str) -> None:
    page = visit(PATH, width=PHONE, scheme=scheme)
    assert overflow(page) <= 0
    assert serious(page) == []
