"""What is new, on the page and in the feeds of branches."""

from __future__ import annotations

import json
import re

import feedparser
import pytest

from tools import atlas as material
from tools.atlas import Atlas
from tools.data.files import ROOT
from tools.data.schema import Catalog, Paper
from tools.export import feeds
from tools.site.pages.news import news
from tools.site.shared.site import Site

ATLAS = material.load(ROOT)
PAPER = ATLAS.catalog.paper["hu2021lora"]


def entry(name: str, added: str | None, leaf: str = "low-rank") -> Paper:
    changes = {"id": name, "added": added, "leaves": (leaf,), "related": ()}
    return PAPER.model_copy(update=changes)


def site(*papers: Paper) -> Site:
    old = ATLAS.catalog
    catalog = Catalog.model_construct(
        modalities=old.modalities, taxonomy=old.taxonomy, venues=old.venues, papers=papers
    )
    return Site(Atlas(catalog), "# C")


def ids(text: str) -> list[str]:
    return re.findall(r'class="title" href="papers/(\w+)\.html"', text)


def test_the_newest_month_comes_first_and_what_has_no_date_is_not_new() -> None:
    given = [
        entry("a2020a", "2026-01-02"),
        entry("b2020b", "2026-03-04"),
        entry("c2020c", None),
        entry("d2020d", "2026-01-02"),
    ]
    text = dict(news.pages(site(*given)))["news.md"]
    assert ids(text) == ["b2020b", "a2020a", "d2020d"]
    assert re.findall(r'id="month-([\d-]+)"', text) == ["2026-03", "2026-01"]
    assert "January 2026" in text


def test_a_month_with_many_entries_is_divided_by_branch_each_once() -> None:
    leaves = ["soft", "low-rank"]
    given = [entry(f"a{2000 + i}a", "2026-01-02", leaves[i % 2]) for i in range(news.FEW + 1)]
    shop = site(*given)
    [month] = news.months(shop, feeds.newest(given))
    assert [node.id for node, _ in month.groups if node] == ["prompt", "reparameterized"]
    assert sorted(p.id for _, own in month.groups for p in own) == [p.id for p in given]
    [few] = news.months(shop, feeds.newest(given[:-1]))
    assert [node for node, _ in few.groups] == [None]


def test_a_month_that_is_cut_says_so() -> None:
    given = [entry(f"a{1960 + i}a", "2026-01-02") for i in range(feeds.NEWEST + 7)]
    text = dict(news.pages(site(*given)))["news.md"]
    assert len(ids(text)) == feeds.NEWEST
    assert "107 entries, 100 shown" in text
    assert "100 entries of 107; the others are in" in text


def test_a_catalog_without_dates_has_no_news() -> None:
    text = dict(news.pages(site(entry("a2020a", None))))["news.md"]
    assert "No entry has the date of its addition yet." in text


@pytest.mark.parametrize("branch", [n.id for n in ATLAS.catalog.nodes.values() if n.children])
def test_every_branch_has_feeds_of_its_own_papers(branch: str) -> None:
    made = dict(news.pages(Site(ATLAS, "# C")))
    atom = feedparser.parse(made[f"export/{branch}.xml"])
    items = json.loads(made[f"export/{branch}.feed.json"])["items"]
    assert not atom.bozo
    found = {entry.id.rsplit("/", 1)[1] for entry in atom.entries}
    assert found == {item["id"].rsplit("/", 1)[1] for item in items}
    own = ATLAS.papers(ATLAS.catalog.nodes[branch])
    assert found == {p.id for p in feeds.newest(own)}
    assert len(found) == min(feeds.NEWEST, sum(bool(p.added) for p in own))
    assert f"export/{branch}.xml" in made["news.md"] or branch in ATLAS.parents


def test_every_page_of_the_catalog_has_an_address() -> None:
    made = dict(news.pages(Site(ATLAS, "# C")))
    addresses = json.loads(made["export/addresses.json"])
    assert addresses["papers/hu2021lora.html"] == PAPER.title
    assert addresses["methods/lora.html"] == "LoRA"
    assert addresses["taxonomy/low-rank.html"] == "Low-rank"
    assert len(addresses) == sum(
        map(len, (ATLAS.catalog.papers, ATLAS.methods, ATLAS.catalog.nodes))
    )
