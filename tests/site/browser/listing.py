"""The list of papers, as tests read it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

LIST = "papers/index.html"
ROWS = "[...document.querySelectorAll('.listing tbody tr')]"
# "98 papers and 9 other resources", and what is left of them before "of 107 entries"
COUNTED = """document.querySelector('.count').textContent.split(' of ')[0].replaceAll(',', '')
    .match(/[0-9]+/g).reduce((sum, number) => sum + Number(number), 0)"""


def shown(page: Page) -> list[str]:
    """The ids of the rows, in their order, once all of them are there."""
    page.wait_for_function(
        f"""() => {{
            const more = document.querySelector("button.more");
            if (!more.hidden) more.click();
            return more.hidden && {ROWS}.length === {COUNTED};
        }}"""
    )
    ids = page.evaluate(f"{ROWS}.map(row => row.querySelector('a').getAttribute('href'))")
    return [Path(link).stem for link in ids]
