"""What the list of papers and a paper's page give away, in a browser: citations and evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.browser.conftest import Visit
from tests.site.browser.listing import LIST, shown
from tools.atlas import Atlas
from tools.export import formats as export

COPIED = "async wanted => (await navigator.clipboard.readText()).trim() === wanted"


@pytest.mark.parametrize(
    "queries",
    [
        ("?leaf=low-rank",),
        pytest.param(("", "?words=rücklé&sort=title", "?words=zzz"), marks=pytest.mark.night),
    ],
)
def test_the_export_is_what_the_exporter_writes(
    visit: Visit, atlas: Atlas, queries: tuple[str, ...]
) -> None:
    for query in queries:
        page = visit(LIST + query)
        ids = {*shown(page)}
        papers = [paper for paper in atlas.catalog.papers if paper.id in ids]
        wanted = export.bibtex(atlas.catalog, papers)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        assert download.value.suggested_filename.startswith("papers")
        assert Path(download.value.path()).read_bytes() == wanted.encode(), query
        page.get_by_role("button", name="Copy").click()
        page.wait_for_function(COPIED, arg=wanted.strip())


@pytest.mark.night
def test_the_export_of_a_leaf_is_the_file_of_the_leaf(visit: Visit, built: Path) -> None:
    page = visit(f"{LIST}?leaf=low-rank&sort=title")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    file = built / "export" / "low-rank.bib"
    assert Path(download.value.path()).read_bytes() == file.read_bytes()


def test_a_citation_can_be_copied(visit: Visit, atlas: Atlas) -> None:
    page = visit("papers/ruckle2020adapterdrop.html")
    paper = atlas.catalog.paper["ruckle2020adapterdrop"]
    page.locator(".highlight").hover()
    page.locator(".highlight").get_by_role("button").click()
    page.wait_for_function(COPIED, arg=export.bibtex(atlas.catalog, [paper]).strip())


@pytest.mark.night
def test_the_mark_leads_to_its_evidence(visit: Visit) -> None:
    page = visit("papers/ruckle2020adapterdrop.html")
    page.get_by_role("link", name="verified", exact=True).click()
    assert page.locator(".evidence").is_visible()
    assert "acl-org/acl-anthology" in page.locator(".evidence").inner_text()
    page.get_by_role("link", name="How entries are verified").click()
    page.locator("#verified").wait_for()
