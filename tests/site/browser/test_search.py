"""The search finds papers, methods and authors, with accents or without, also from disk."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.site.browser.conftest import Visit
from tools.atlas import Atlas

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
    "PEFT": "taxonomy/additive.html",
    "4-bit": "taxonomy/quantized.html",
    "soft prompt": "taxonomy/soft.html",
    "model merging": "taxonomy/merging.html",
}
# What is typed, and the address that must be the first result.
FIRST = {
    "LoRA": "methods/lora.html",
    "RLHF": "taxonomy/alignment.html",
    "QLoRA: Efficient Finetuning of Quantized LLMs": "papers/dettmers2023qlora.html",
    # the theme's search takes what is before a colon for a field, and finds nothing
    "Pick-a-Pic: An Open Dataset": "papers/kirstain2023pickapic.html",
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
    for places, most in ((FOUND, 5), (FIRST, 1)):
        for words, wanted in places.items():
            found = list(
                dict.fromkeys(re.split("[?#]", address)[0] for address in results(page, words))
            )
            assert any(wanted in address for address in found[:most]), (words, found[:8])


def test_an_index_holds_each_page_once_and_no_chart(built: Path, atlas: Atlas) -> None:
    text = (built / "search" / "search_index.json").read_text(encoding="utf-8")
    docs = json.loads(text)["docs"]
    of_papers = [doc["location"] for doc in docs if doc["location"].startswith("papers/")]
    own = [f"papers/{paper.id}.html" for paper in atlas.catalog.papers]
    assert sorted(of_papers) == sorted(["papers/index.html", *own])
    # a page with sections may have nothing before them
    assert [doc["location"] for doc in docs if not doc["text"] and "#" in doc["location"]] == []
    assert "One of L layers" not in text  # a drawing
    assert "modules by default, by architecture" not in text  # a table of comparisons
    assert "get_peft_model" not in text  # a program that shows a difference
    assert "<pre>" not in "".join(d["text"] for d in docs if d["location"].startswith("guides/a"))
    # what a reader waits for at the first search: 405 kB for 1,885 entries, of which 5 are the
    # differences from libraries: who looks for a name of theirs is to find what is wrong with it
    assert len(gzip.compress(text.encode())) / len(atlas.catalog.papers) < 405_000 / 1885


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
