"""The search finds papers, methods and authors, with accents or without, also from disk."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.site.browser.conftest import Visit

# What is typed, and an address that must be among the first results.
FOUND = {
    "LoRA": "methods/lora.html",
    "houlsby": "methods/houlsby.html",
    "bitfit": "methods/bitfit.html",
    "Kronecker": "methods/compacter.html",
    "hypercomplex": "papers/mahabadi2021compacter.html",
    "perez": "papers/perez2021truefewshot.html",
    "Rücklé": "papers/ruckle2020adapterdrop.html",
    "ruckle": "papers/ruckle2020adapterdrop.html",
    "catastrophic forgetting": "papers/",
    "low-rank": "taxonomy/low-rank.html",
}


def results(page: Page, words: str) -> list[str]:
    """The addresses that the search lists, best first."""
    field, said = page.locator(".md-search__input"), page.locator(".md-search-result__meta")
    for typed, answer in (("", "Type to start"), (words, "matching")):
        field.fill(typed)
        field.press("End")  # the search listens to keys
        said.filter(has_text=answer).wait_for(state="attached")
    page.locator(".md-search-result__item").first.wait_for(state="attached")
    return page.eval_on_selector_all(
        ".md-search-result__item > a", "links => links.map(link => link.getAttribute('href'))"
    )


def test_the_search_finds(visit: Visit) -> None:
    page = visit("index.html")
    for words, wanted in FOUND.items():
        found = list(
            dict.fromkeys(re.split("[?#]", address)[0] for address in results(page, words))
        )
        assert any(wanted in address for address in found[:5]), (words, found[:8])


@pytest.mark.night
def test_the_zipped_site_opens_from_disk(visit: Visit, built: Path, tmp_path: Path) -> None:
    packed = tmp_path / "site.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in built.rglob("*"):
            archive.write(file, file.relative_to(built))
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "unpacked")
    page = visit((tmp_path / "unpacked" / "index.html").as_uri())
    page.get_by_role("link", name="Methods", exact=True).first.click()
    assert page.url.endswith("methods/index.html")
    assert any("methods/lora.html" in address for address in results(page, "LoRA")[:5])
