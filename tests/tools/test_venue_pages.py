"""A page for each venue that has papers, and the index of all."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from tests.tools.small_catalog import write_tree
from tools import atlas as material
from tools.atlas import Atlas
from tools.data.schema import Paper
from tools.site import all_pages
from tools.site.pages.venues import venues
from tools.site.shared.site import Site


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    write_tree(tmp_path)
    return material.load(tmp_path)


def changed(atlas: Atlas, **values: object) -> Atlas:
    """The small catalog with other venues or papers."""
    names = ("modalities", "taxonomy", "venues", "papers")
    own = {name: getattr(atlas.catalog, name) for name in names}
    return Atlas(type(atlas.catalog).model_construct(**own | values), atlas.methods, atlas.source)


def made(atlas: Atlas) -> dict[str, str]:
    return dict(venues.pages(Site(atlas, "# C")))


def entries(text: str) -> list[tuple[str, list[str]]]:
    """Headings by year, each with the ids of the papers below it."""
    parts = re.split(r'<h2 id="year-(\w+)" data-search-exclude>', text)[1:]
    ids = [re.findall(r'href="\.\./papers/(\w+)\.html"', part) for part in parts[1::2]]
    return list(zip(parts[::2], ids, strict=True))


def test_venues_with_papers_have_pages_and_the_index_leads_to_them(atlas: Atlas) -> None:
    odd = atlas.catalog.venues[0].model_copy(update={"id": "IWSLT", "name": "Spoken Language"})
    pages = made(changed(atlas, venues=(*atlas.catalog.venues, odd)))
    assert sorted(pages) == [
        "venues.md",
        *(f"venues/{name}.md" for name in ("acl", "arxiv", "iclr", "web")),
    ]
    rows = pages["venues.md"].splitlines()
    [iclr] = [row for row in rows if ">ICLR</span>" in row]
    assert "[International Conference on Learning Representations](venues/iclr.md)" in iclr
    assert iclr.endswith("| conference | 1 |")
    [none] = [row for row in rows if ">IWSLT</span>" in row]
    assert none.endswith("| [Spoken Language](https://iclr.cc/) | conference | 0 |")


def test_papers_stand_by_year_the_newest_first_and_those_without_one_last(atlas: Atlas) -> None:
    model = atlas.catalog.paper["hu2021lora"]

    def paper(name: str, year: int | None) -> Paper:
        return model.model_copy(update={"id": name, "year": year, "builds_on": (), "related": ()})

    given = [paper("b2020b", 2021), paper("xndx", None), paper("a2020a", 2021), model]
    text = made(changed(atlas, papers=tuple(given)))["venues/iclr.md"]
    assert entries(text) == [
        ("2022", ["hu2021lora"]),
        ("2021", ["a2020a", "b2020b"]),
        ("none", ["xndx"]),
    ]
    assert "[2022](#year-2022) · [2021](#year-2021) · [none](#year-none)" in text
    heading = '<h2 id="year-2021" data-search-exclude>2021 <span class="meta">2 papers</span></h2>'
    assert heading in text


def test_a_page_says_what_the_venue_is_and_leads_to_the_list(atlas: Atlas) -> None:
    text = made(atlas)["venues/acl.md"]
    assert "Annual Meeting of the Association for Computational Linguistics\n{: .lead }" in text
    assert "</span> Conference. [Its own site](https://www.aclweb.org/). 2 papers;" in text
    assert "](../papers/index.md?venue=ACL)" in text
    assert 'class="runs"' not in text
    lora = made(atlas)["venues/iclr.md"]
    assert '<li class="runs">' in lora
    assert '<a href="../methods/lora.html">LoRA</a></li>' in lora


def test_names_of_venues_are_quoted_and_their_pages_differ(atlas: Atlas) -> None:
    first, second, *others = atlas.catalog.venues
    found = [
        first.model_copy(update={"id": 'A&B "c"'}),
        second.model_copy(update={"id": "a b (C)"}),
    ]
    other = {"ICLR": found[0].id, "ACL": found[1].id}
    papers = tuple(
        paper.model_copy(update={"venue": other.get(paper.venue, paper.venue)})
        for paper in atlas.catalog.papers
    )
    odd = changed(atlas, venues=(*found, *others), papers=papers)
    pages = made(odd)
    assert "](../papers/index.md?venue=A%26B%20%22c%22)" in pages["venues/a-b-c.md"]
    assert "# a b (C) {: #_top }" in unescape(pages["venues/a-b-c-2.md"])
    text = all_pages.pages(odd, "# C")["papers/hu2021lora.md"]
    assert '<a class="venue" href="../venues/a-b-c.html"' in text
    assert ">A&amp;B &quot;c&quot; 2022</a>" in text


def test_only_what_a_venue_is_called_is_searched(atlas: Atlas) -> None:
    text = made(atlas)["venues/acl.md"]
    assert "Rücklé" in text
    assert "<p hidden>" not in text
    searched = re.sub(r"(?s)<div[^>]* data-search-exclude.*?</div>", "", text.split("---\n")[2])
    assert "papers/" not in searched.partition("# ACL")[2]
    assert "Annual Meeting" in searched
