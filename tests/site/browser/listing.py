"""The list of papers, as tests read it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

LIST = "papers/index.html"
ROWS = "[...document.querySelectorAll('.listing tbody tr')]"


def shown(page: Page) -> list[str]:
    """The ids of the rows, in their order, once all of them are there."""
    page.wait_for_function(
        f"{ROWS}.length === parseInt(document.querySelector('.count').textContent.replace(',', ''))"
    )
    ids = page.evaluate(f"{ROWS}.map(row => row.querySelector('a').getAttribute('href'))")
    return [Path(link).stem for link in ids]
