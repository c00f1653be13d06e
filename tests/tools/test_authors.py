"""Pages of authors: who stands where, and at which address."""

from __future__ import annotations

import re
from gzip import compress
from html import unescape

import pytest

from tools import atlas as material
from tools.atlas import Atlas
from tools.data.files import ROOT
from tools.data.schema import Catalog, Group, Paper
from tools.site import all_pages
from tools.site.pages.authors import authors
from tools.site.shared import people
from tools.site.shared.site import Site
from tools.text.slugs import folded, slugs

ATLAS = material.load(ROOT)
PAPER = ATLAS.catalog.paper["hu2021lora"]
HEAVIEST = 56_000  # bytes of a page's text, compressed: the theme adds four thousand to it


def entry(name: str, *names: str | Group, added: str = "2026-01-02", **changes: object) -> Paper:
    values = {"id": name, "title": f"Title of {name}", "authors": names, "added": added}
    # made anew, since a copy would keep the names that the first one has found
    return Paper.model_construct(**{**dict(PAPER), "related": (), **values, **changes})


def site(*papers: Paper) -> Site:
    old = ATLAS.catalog
    catalog = Catalog.model_construct(
        modalities=old.modalities, taxonomy=old.taxonomy, venues=old.venues, papers=papers
    )
    return Site(Atlas(catalog), "# C")


def made(*papers: Paper) -> dict[str, str]:
    return dict(authors.pages(site(*papers)))


def listed(text: str) -> list[tuple[str, list[str]]]:
    """Anchors, each with the entries below it as they read."""
    found = re.findall(r'<dt id="([^"]+)">[^<]*</dt>\n((?:<dd>.*</dd>\n)+)', text)
    lines = [(anchor, re.findall("<dd>(.*)</dd>", rows)) for anchor, rows in found]
    return [(a, [unescape(re.sub("<[^>]+>", "", row)) for row in rows]) for a, rows in lines]


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Rücklé", "ruckle"), ("ŁOŚ", "los"), ("Groß-Ærø", "gross-aero"), ("李 Li", "李 li")],
)
def test_text_is_folded(text: str, plain: str) -> None:
    assert folded(text) == plain


def test_slugs_are_ascii_and_differ() -> None:
    given = ["Rücklé, A.", "Ruckle A", "ruckle-a 2", "Ruckle (A)", "李", "", "3DV <b>"]
    assert slugs(given, "author") == [
        "ruckle-a",
        "ruckle-a-2",
        "ruckle-a-2-2",
        "ruckle-a-3",
        "author",
        "author-2",
        "3dv-b",
    ]


@pytest.mark.parametrize(
    ("family", "page"),
    [
        ("Hu", "h"),
        ("Łukasz", "l"),
        ("Öz", "o"),
        ("van der Schaar", "v"),
        ("'t Hooft", "t"),
        ("李", "other"),
        ("01.AI", "other"),
        ("?!", "other"),
    ],
)
def test_the_page_is_the_first_letter(family: str, page: str) -> None:
    pages = made(entry("a2020a", f"{family}, X"))
    assert set(pages) == {"authors/index.md", f"authors/{page}.md"}


def test_every_author_has_every_entry_the_latest_first() -> None:
    hu, li = "Hu, Edward J.", "Li, Xiang"
    text = made(
        entry("a2019a", hu, li, year=2020, venue="ICLR", arxiv=None),
        entry("b2021b", li, hu, year=2021, venue="arXiv", arxiv=None),
        entry("candc", hu, year=None, venue="GitHub", arxiv=None),
    )
    assert listed(text["authors/h.md"]) == [
        (
            "hu-edward-j",
            [
                "2021 Title of b2021b arXiv 2021",
                "2019 Title of a2019a ICLR 2020",
                "n.d. Title of candc GitHub",
            ],
        )
    ]
    assert [anchor for anchor, _ in listed(text["authors/l.md"])] == ["li-xiang"]
    assert '<a href="../papers/a2019a.html">' in text["authors/l.md"]


def test_two_authors_of_a_paper_with_one_name_share_a_place() -> None:
    text = made(entry("a2020a", "Wang, Yu", "Wang, Yu"))["authors/w.md"]
    assert [len(rows) for _, rows in listed(text)] == [1]


def test_spellings_are_two_and_the_later_one_has_the_number() -> None:
    """An entry that is added later changes no address, wherever it stands in the catalog."""
    text = made(
        entry("a2020a", "Ruckle, Andreas", added="2026-03-04"),
        entry("b2020b", "Rücklé, Andreas", added="2026-01-02"),
    )["authors/r.md"]
    found = dict(listed(text))
    assert found["ruckle-andreas"][0].split()[3] == "b2020b"
    assert found["ruckle-andreas-2"][0].split()[3] == "a2020a"


def test_groups_stand_among_the_people() -> None:
    text = made(entry("a2020a", "Moss, A", Group(literal="Microsoft Research"), "Mao, Yuning"))
    anchors = [anchor for anchor, _ in listed(text["authors/m.md"])]
    assert anchors == ["mao-yuning", "microsoft-research", "moss-a"]


def test_names_are_sorted_without_accents_and_have_headings() -> None:
    text = made(entry("a2020a", "Öz, B", "Ott, C", "Oz, A", "O'Zz, D"))["authors/o.md"]
    anchors = [anchor for anchor, _ in listed(text)]
    assert anchors == ["ott-c", "oz-a", "oz-b", "o-zz-d"]
    assert re.findall(r'<h2 id="([^"]+)">(\w+)</h2>', text) == [("_ot", "Ot"), ("_oz", "Oz")]
    assert "[Ot](#_ot) · [Oz](#_oz)" in text


def test_a_page_that_is_heavy_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MANY", 2)
    pages = made(
        entry("a2020a", "Li, A", "Liu, B", "Lin, C", "Lo, D", "Hu, E"), entry("b2020b", "Li, A")
    )
    assert list(pages)[1:] == [f"authors/{p}.md" for p in ("h", "li", "lin", "liu", "lo")]
    assert [anchor for anchor, _ in listed(pages["authors/li.md"])] == ["li-a"]
    assert '<a href="lin.html">Lin <span class="meta">1</span></a>' in pages["authors/index.md"]


def test_the_rule_of_the_index_is_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authors, "MOST", 2)
    three = [entry(f"a202{i}a", "Hu, A", "Li, B", *["Wu, C"][: i < 2]) for i in range(3)]
    once = entry("b2020b", "Xu, D")
    text = made(*three, once)["authors/index.md"]
    assert text.partition("## Names")[2].count("<li>") == 2
    assert "stand on 3 entries or more, the least number that no more than 2 names" in text
    assert "## Names" not in made(once)["authors/index.md"]


def test_hostile_names_are_text() -> None:
    text = made(entry("a2020a", Group(literal='<b>"x"'), title="</dd><i>", venue="ICLR"))
    [page] = [page for path, page in text.items() if path == "authors/b.md"]
    assert '<dt id="b-x">&lt;b&gt;&quot;x&quot;</dt>' in page
    assert "&lt;/dd&gt;&lt;i&gt;" in page


def test_the_pages_are_not_searched_and_the_index_is() -> None:
    pages = made(entry("a2020a", "Rücklé, A"))
    assert 'search: {"exclude": true}' in pages["authors/r.md"]
    assert "<p hidden>" not in pages["authors/r.md"]
    assert "search:" not in pages["authors/index.md"]


def test_a_papers_page_leads_to_its_authors() -> None:
    papers = all_pages.papers.pages(site(entry("hu2021lora", "Hu, Edward J.", "李, X")))
    text = dict(papers)["papers/hu2021lora.md"]
    assert (
        '<p class="authors"><a href="../authors/h.html#hu-edward-j">Edward J. Hu</a>, '
        '<a href="../authors/other.html#x">X 李</a></p>'
    ) in text


def test_the_catalog_has_light_pages_on_which_each_anchor_is_there_once() -> None:
    whole = Site(ATLAS, "# C")
    pages = dict(authors.pages(whole))
    places = [
        (path, anchor)
        for path, text in pages.items()
        for anchor in re.findall('<dt id="([^"]+)"', text)
    ]
    expected = {(f"authors/{a.page}.md", a.anchor) for a in whole.authors.values()}
    assert len(places) == len({anchor for _, anchor in places})
    assert set(places) == expected
    assert all(re.fullmatch("[a-z0-9-]+", anchor) for _, anchor in places)
    heavy = {path: len(compress(text.encode(), 6)) for path, text in pages.items()}
    assert max(heavy.values()) < HEAVIEST, heavy
