"""Papers' pages as programs read them: Zotero, Google Scholar, and what reads schema.org."""

from __future__ import annotations

import json
from pathlib import Path

from tests.site.conftest import REPOSITORY, SITE
from tests.site.html_pages import HtmlPage
from tests.site.test_hostile import HOSTILE
from tools.atlas import Atlas
from tools.data.files import ROOT
from tools.data.schema import Catalog, Paper
from tools.export import formats as export
from tools.text.escape import plain

Pages = dict[str, HtmlPage]
# The field of a Zotero item that a Highwire element gives, and the item's type.
FIELDS = {
    "citation_title": "title",
    "citation_publication_date": "date",
    "citation_journal_title": "publicationTitle",
    "citation_conference_title": "conferenceName",
    "citation_technical_report_institution": "institution",
    "citation_publisher": "publisher",
    "citation_doi": "DOI",
    "citation_public_url": "url",
}
TYPES = {
    "citation_journal_title": "journalArticle",
    "citation_technical_report_institution": "report",
    "citation_conference_title": "conferencePaper",
}
VENUES = {
    "conference": "citation_conference_title",
    "workshop": "citation_conference_title",
    "journal": "citation_journal_title",
    "report": "citation_technical_report_institution",
    "preprint": "citation_publisher",
    "web": "citation_publisher",
}


def meta(page: HtmlPage, key: str = "name") -> list[tuple[str, str]]:
    return [
        (e.attributes[key], e.attributes["content"])
        for e in page.all("meta")
        if key in e.attributes and "content" in e.attributes
    ]


def zotero(page: HtmlPage) -> dict[str, object]:
    """The item that Zotero's translator "Embedded Metadata" makes of a page."""
    item: dict[str, object] = {"creators": [], "tags": [], "type": "journalArticle"}
    ends = {}
    for name, content in meta(page):
        if name in FIELDS:
            assert FIELDS[name] not in item, f"{name} stands there twice"
            item[FIELDS[name]] = " ".join(content.split())
        if name in TYPES:
            item["type"] = TYPES[name]
        if name == "citation_author":
            assert ";" not in content  # would be split
            family, comma, given = content.partition(",")
            name = (family.strip(), given.strip()) if comma else tuple(content.rsplit(" ", 1)[::-1])
            item["creators"].append(name)
        if name == "citation_keywords":
            item["tags"] += [tag.strip() for tag in content.split(";")]
        if name == "citation_pdf_url":
            item["pdf"] = content
        if name in ("citation_firstpage", "citation_lastpage"):
            ends[name] = content
    item["pages"] = "-".join(ends[name] for name in sorted(ends))
    return item


def expected(catalog: Catalog, paper: Paper) -> dict[str, object]:
    venue = catalog.venue[paper.venue]
    tag = VENUES[venue.kind]
    item: dict[str, object] = {
        "type": TYPES.get(tag, "journalArticle"),
        "title": plain(paper.title),
        "creators": [(plain(name.family), plain(name.given)) for name in paper.names],
        "date": str(paper.year or ""),
        FIELDS[tag]: plain(venue.name),
        "DOI": paper.doi or "",
        "url": paper.link,
        "pages": paper.pages or "",
        "tags": [catalog.leaves[leaf].name for leaf in paper.leaves],
    }
    if paper.acl:
        item["pdf"] = f"https://aclanthology.org/{paper.acl}.pdf"
    elif paper.arxiv:
        item["pdf"] = f"https://arxiv.org/pdf/{paper.arxiv}"
    return {key: value for key, value in item.items() if value}


def linked(page: HtmlPage) -> dict[str, object]:
    [script] = [e for e in page.all("script") if e.attributes.get("type") == "application/ld+json"]
    return json.loads(script.text)


def test_zotero_reads_every_paper(pages: Pages, atlas: Atlas) -> None:
    for paper in atlas.catalog.papers:
        item = zotero(pages[f"papers/{paper.id}.html"])
        item = {key: value for key, value in item.items() if value}
        assert item == expected(atlas.catalog, paper), paper.id


def test_scholar_has_what_it_asks_for(pages: Pages, atlas: Atlas) -> None:
    """Title, an author and a date, on a page of the work's own; the preprint's number as well."""
    for paper in atlas.catalog.papers:
        names = meta(pages[f"papers/{paper.id}.html"])
        kinds = [name for name, _ in names]
        assert kinds.count("citation_title") == 1
        assert kinds.count("citation_author") == len(paper.names)
        assert kinds.count("citation_publication_date") == (1 if paper.year else 0)
        assert dict(names).get("citation_arxiv_id") == paper.arxiv
    others = [page for path, page in pages.items() if Path(path).stem not in atlas.catalog.paper]
    assert not [page.path for page in others if "citation_title" in dict(meta(page))]


def test_linked_data_says_what_the_catalog_says(pages: Pages, atlas: Atlas) -> None:
    for paper in atlas.catalog.papers:
        data = linked(pages[f"papers/{paper.id}.html"])
        other = {"blog": "BlogPosting", "course": "Course", "code": "SoftwareSourceCode"}
        assert data["@type"] == other.get(paper.kind, "ScholarlyArticle")
        assert data["headline"] == data["name"] == plain(paper.title)
        assert [a.get("familyName", a["name"]) for a in data["author"]] == [
            plain(name.family) for name in paper.names
        ]
        assert [a.get("givenName", "") for a in data["author"]] == [
            plain(name.given) for name in paper.names
        ]
        assert data.get("datePublished", "") == str(paper.year or "")
        assert data["isPartOf"]["name"] == atlas.catalog.venue[paper.venue].name
        assert data["description"] == plain(paper.summary)
        assert data.get("pagination") == paper.pages
        assert {i["propertyID"]: i["value"] for i in data.get("identifier", [])} == {
            key: getattr(paper, key)
            for key in ("doi", "arxiv", "acl", "openreview")
            if getattr(paper, key)
        }
        assert {w["name"] for w in data.get("isBasedOn", [])} == {
            atlas.catalog.paper[other].title for other in paper.builds_on
        }


def test_open_graph(pages: Pages, atlas: Atlas) -> None:
    for paper in atlas.catalog.papers:
        assert dict(meta(pages[f"papers/{paper.id}.html"], "property")) == {
            "og:type": "article",
            "og:title": plain(paper.title),
            "og:description": plain(paper.summary),
            "og:site_name": "Fine-Tuning Atlas",
        }


def test_every_citation_can_be_read_without_a_script(pages: Pages, atlas: Atlas) -> None:
    for paper in atlas.catalog.papers:
        blocks = [code.text.strip() for code in pages[f"papers/{paper.id}.html"].all("code")]
        assert export.bibtex(atlas.catalog, [paper]).strip() in blocks, paper.id


def test_what_a_paper_builds_on_and_what_builds_on_it_name_each_other(
    pages: Pages, atlas: Atlas
) -> None:
    assert any(paper.builds_on for paper in atlas.catalog.papers)
    for paper in atlas.catalog.papers:
        for other in paper.builds_on:
            assert f"../papers/{other}.html" in pages[f"papers/{paper.id}.html"].links or (
                f"{other}.html" in pages[f"papers/{paper.id}.html"].links
            )
            assert "What builds on it" in pages[f"papers/{other}.html"].text


def test_without_an_address_there_is_no_link_to_a_repository(pages: Pages) -> None:
    for page in pages.values():
        assert "Edit this" not in page.text
        assert "Report a fault" not in page.text
        assert not [link for link in page.links if "/edit/main" in link or "/issues/new" in link]


def test_hostile_text_stays_text_in_the_head(published: tuple[Atlas, Pages]) -> None:
    _, pages = published
    for number, text in enumerate(HOSTILE):
        page = pages[f"papers/evil{2000 + number}text.html"]
        assert dict(meta(page))["citation_title"] == plain(text)
        assert dict(meta(page, "property"))["og:title"] == plain(text)
        assert linked(page)["headline"] == plain(text)
        assert linked(page)["author"][0]["name"] == plain(text)
        names = [e.tag for e in page.elements]
        assert names.index("body") > max(i for i, tag in enumerate(names) if tag == "meta")


def test_a_page_knows_its_own_address(published: tuple[Atlas, Pages]) -> None:
    atlas, pages = published
    for paper in atlas.catalog.papers:
        page = pages[f"papers/{paper.id}.html"]
        own = f"{SITE}papers/{paper.id}.html"
        [canonical] = [e for e in page.all("link") if e.attributes.get("rel") == "canonical"]
        assert canonical.attributes["href"] == own
        assert dict(meta(page, "property"))["og:url"] == own
        assert linked(page)["mainEntityOfPage"] == own


def test_an_entry_can_be_edited_and_its_faults_reported(published: tuple[Atlas, Pages]) -> None:
    _, pages = published
    links = pages["papers/hu2021lora.html"].links
    assert f"{REPOSITORY}/edit/main/papers/2021.yaml#L53" in links
    [report] = [link for link in links if "/issues/new" in link]
    assert report == (
        f"{REPOSITORY}/issues/new?template=mistake.yml&title=Mistake%3A+hu2021lora&where=hu2021lora"
    )
    form = (ROOT / ".github" / "ISSUE_TEMPLATE" / "mistake.yml").read_text(encoding="utf-8")
    assert "\n    id: where\n" in form


def test_other_pages_can_be_edited_where_a_file_is_theirs_and_reported(
    published: tuple[Atlas, Pages],
) -> None:
    _, pages = published
    files = {
        "methods/lora.html": "reference_impls/reparameterized/lora/lora.py",
        "taxonomy/soft.html": "papers.yaml",
        "reading.html": "docs/reading.md",
        "contributing.html": "CONTRIBUTING.md",
    }
    for path, page in pages.items():
        if path.startswith("papers/") or path == "404.html":
            continue
        edits = [link for link in page.links if "/edit/main/" in link]
        if path in files:
            assert edits == [f"{REPOSITORY}/edit/main/{files[path]}"]
            assert (ROOT / files[path]).is_file()
        [report] = [link for link in page.links if "/issues/new" in link]
        assert report.endswith(f"&where={path}"), path
    assert not [link for link in pages["papers/index.html"].links if "/edit/main/" in link]


def test_the_repository_is_only_linked_to(published: tuple[Atlas, Pages]) -> None:
    """The theme's own link asks GitHub for stars when the page opens."""
    _, pages = published
    for page in pages.values():
        assert not [e for e in page.elements if e.attributes.get("data-md-component") == "source"]
        assert REPOSITORY in page.links
