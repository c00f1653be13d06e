"""Every kind of page: accessible, quiet, and as wide as the window, light, dark and on a phone."""

from __future__ import annotations

import pytest

from tests.site.browser.conftest import PHONE, Visit, overflow, serious, shift
from tests.site.serving import SLOWLY

TEMPLATES = (
    "index.html",
    "papers/index.html",
    "papers/hu2021lora.html",
    "taxonomy/index.html",
    "taxonomy/additive.html",
    "taxonomy/low-rank.html",
    "taxonomy/timeline.html",
    "taxonomy/by-year.html",
    "methods/index.html",
    "methods/choose.html",
    "methods/compare.html",
    "methods/calculator.html",
    "methods/fits.html",
    "methods/models.html",
    "methods/differences.html",
    "methods/lora.html",
    "crosswalk.html",
    "news.html",
    "guides/index.html",
    "guides/attention.html",
    "venues.html",
    "venues/iclr.html",
    "authors/index.html",
    "authors/u.html",
    "rules.html",
    "commands.html",
    "contributing.html",
    "about.html",
    "reading.html",
    "404.html",
)
# nothing that reading.html, additive.html or methods/index.html has not
PLAIN = ("rules.html", "commands.html", "contributing.html", "taxonomy/low-rank.html")
PLAIN += ("guides/index.html",)
WIDEST_SHIFT = 0.01


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path not in PLAIN])
def test_a_page_is_accessible_quiet_stays_in_place_and_fits_a_phone(
    visit: Visit, path: str
) -> None:
    """What the tests of the night ask one by one, of one page load and without colors."""
    page = visit(SLOWLY + path)
    assert serious(page, contrast=False) == []
    assert shift(page) < WIDEST_SHIFT
    page.set_viewport_size({"width": PHONE, "height": 900})
    assert overflow(page) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_of_a_page_stand_out(visit: Visit, scheme: str) -> None:
    """The one page with badges, marks, code, notes and links of all kinds; at night all pages."""
    assert serious(visit("papers/hu2021lora.html", scheme=scheme)) == []


@pytest.mark.night
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", TEMPLATES)
def test_axe_finds_nothing_serious(visit: Visit, path: str, scheme: str) -> None:
    assert serious(visit(path, scheme=scheme)) == []


@pytest.mark.night
@pytest.mark.parametrize("path", TEMPLATES)
def test_a_phone_need_not_scroll_sideways(visit: Visit, path: str) -> None:
    assert overflow(visit(path, width=PHONE)) <= 0


@pytest.mark.night
@pytest.mark.parametrize("path", TEMPLATES)
def test_late_content_moves_nothing(visit: Visit, path: str) -> None:
    page = visit(SLOWLY + path)
    page.wait_for_load_state("networkidle")
    assert shift(page) < WIDEST_SHIFT
