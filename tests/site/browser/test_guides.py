"""The guides in a browser: what code printed belongs to it, and figures are read and fit."""

from __future__ import annotations

import pytest

from tests.site.browser.conftest import DESKTOP, PHONE, Visit, overflow, serious, settled
from tools.data.guides import ORDER

PAGES = ("index", *ORDER)


@pytest.mark.night
@pytest.mark.parametrize("name", PAGES)
def test_a_guide_is_accessible_and_fits_a_phone(visit: Visit, name: str) -> None:
    page = visit(f"guides/{name}.html", width=PHONE, scheme="dark")
    assert overflow(page) <= 0
    assert serious(page) == []


@pytest.mark.night
@pytest.mark.parametrize("name", PAGES)
def test_a_guide_is_accessible_in_the_light(visit: Visit, name: str) -> None:
    assert serious(visit(f"guides/{name}.html")) == []


@pytest.mark.parametrize(
    "name", [ORDER[0], *(pytest.param(name, marks=pytest.mark.night) for name in ORDER[1:])]
)
def test_output_stands_directly_below_its_code(visit: Visit, name: str) -> None:
    page = visit(f"guides/{name}.html")
    gaps = page.eval_on_selector_all(
        ".output",
        """found => found.map(output => {
            const code = output.previousElementSibling
            const box = element => element.querySelector("pre").getBoundingClientRect()
            return [!!code.querySelector("code .kn, code .n"), box(output).top - box(code).bottom]
        })""",
    )
    assert gaps
    assert all(is_code for is_code, _ in gaps)
    assert all(-2 <= gap <= 3 for _, gap in gaps), gaps


@pytest.mark.night
def test_a_wide_formula_is_reached_by_the_keyboard_where_it_scrolls(visit: Visit) -> None:
    for width in (PHONE, DESKTOP):
        page = visit("guides/attention.html", width=width)
        settled(page)
        boxes = page.eval_on_selector_all(
            ".formula.block",
            "all => all.map(box => [box.scrollWidth > box.clientWidth, box.tabIndex])",
        )
        assert {index for scrolls, index in boxes if scrolls} <= {0}
        assert {index for scrolls, index in boxes if not scrolls} == {-1}
        assert any(scrolls for scrolls, _ in boxes) is (width == PHONE)


@pytest.mark.night
def test_frozen_and_trained_boxes_look_different(visit: Visit) -> None:
    for scheme in ("light", "dark"):
        page = visit("guides/adapting.html", scheme=scheme)
        look = {
            kind: page.eval_on_selector(
                f".parts td.{kind}", "cell => getComputedStyle(cell).backgroundColor"
            )
            for kind in ("frozen", "trained")
        }
        assert look["frozen"] != look["trained"]


def test_the_script_can_be_downloaded(visit: Visit) -> None:
    page = visit("guides/index.html")
    page.get_by_role("link", name="Adapting a model").click()
    address = page.get_by_role("link", name="Download adapting.py").get_attribute("href")
    text = page.evaluate("address => fetch(address).then(answer => answer.text())", address)
    assert text.startswith('r"""Adapting a model')


@pytest.mark.night
def test_tables_of_parts_scroll_by_keyboard_on_a_phone(visit: Visit) -> None:
    page = visit("guides/adapting.html", width=PHONE)
    page.focus(".boxes")
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.boxes').scrollLeft > 0")
