"""Every kind of page: accessible, quiet, and as wide as the window, light, dark and on a phone."""

from __future__ import annotations

import pytest

from tests.site.browser.conftest import DESKTOP, PHONE, Visit, overflow, serious

TEMPLATES = (
    "index.html",
    "papers/index.html",
    "papers/hu2021lora.html",
    "taxonomy/index.html",
    "taxonomy/additive.html",
    "taxonomy/low-rank.html",
    "taxonomy/timeline.html",
    "methods/index.html",
    "methods/choose.html",
    "methods/compare.html",
    "methods/calculator.html",
    "methods/lora.html",
    "crosswalk.html",
    "news.html",
    "guides/index.html",
    "guides/attention.html",
    "venues.html",
    "rules.html",
    "commands.html",
    "contributing.html",
    "reading.html",
    "404.html",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", TEMPLATES)
def test_axe_finds_nothing_serious(visit: Visit, path: str, scheme: str) -> None:
    assert serious(visit(path, scheme=scheme)) == []


@pytest.mark.parametrize("path", TEMPLATES)
def test_a_phone_need_not_scroll_sideways(visit: Visit, path: str) -> None:
    assert overflow(visit(path, width=PHONE)) <= 0


@pytest.mark.parametrize("path", TEMPLATES)
def test_late_content_moves_nothing(visit: Visit, path: str) -> None:
    page = visit(path, width=DESKTOP)
    shift = page.evaluate(
        """() => new Promise(done => {
            let sum = 0;
            new PerformanceObserver(list => {
                for (const entry of list.getEntries()) sum += entry.value;
            }).observe({type: "layout-shift", buffered: true});
            setTimeout(() => done(sum), 400);
        })"""
    )
    assert shift < 0.01
