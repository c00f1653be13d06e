"""What the head of a paper's page tells programs: Zotero, Google Scholar, search engines, chats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ....data.schema import Catalog, Paper, Venue
from ....text.escape import plain

# Venue kind -> the Highwire field that names the venue, and the type of the whole in schema.org.
VENUES = {
    "conference": ("citation_conference_title", "PublicationVolume"),
    "workshop": ("citation_conference_title", "PublicationVolume"),
    "journal": ("citation_journal_title", "Periodical"),
    "preprint": ("citation_publisher", "Collection"),
    "report": ("citation_technical_report_institution", "Collection"),
    "web": ("citation_publisher", "WebSite"),
}
# Kinds of works that are not scholarly articles, in schema.org.
TYPES = {"blog": "BlogPosting", "course": "Course", "code": "SoftwareSourceCode"}


def meta(catalog: Catalog, paper: Paper) -> list[tuple[str, str]]:
    """Names and contents of meta elements: Highwire Press's, that importers read, and Open Graph's.

    A group ends with a comma, so that an importer does not take its last word for a family name.
    """
    venue = catalog.venue[paper.venue]
    first, _, last = (paper.pages or "").partition("-")
    pairs = [
        ("citation_title", paper.title),
        *(
            ("citation_author", f"{n.family}, {n.given}" if n.given else f"{n.family},")
            for n in paper.names
        ),
        ("citation_publication_date", str(paper.year or "")),
        (VENUES[venue.kind][0], venue.name),
        ("citation_firstpage", first),
        ("citation_lastpage", last),
        ("citation_doi", paper.doi or ""),
        ("citation_arxiv_id", paper.arxiv or ""),
        ("citation_pdf_url", pdf(paper) or ""),
        ("citation_public_url", paper.link),
        ("citation_keywords", "; ".join(catalog.leaves[leaf].name for leaf in paper.leaves)),
        ("og:type", "article"),
        ("og:title", paper.title),
        ("og:description", paper.summary),
    ]
    return [(name, content) for name, content in pairs if content]


def pdf(paper: Paper) -> str | None:
    """The text itself, where its place follows from an identifier: the published one first."""
    if paper.acl:
        return f"https://aclanthology.org/{paper.acl}.pdf"
    return f"https://arxiv.org/pdf/{paper.arxiv}" if paper.arxiv else None


def linked_data(catalog: Catalog, paper: Paper, foundations: Iterable[Paper]) -> dict[str, Any]:
    """The paper in the words of schema.org. `foundations` are the papers that it builds on."""
    venue = catalog.venue[paper.venue]
    same = [paper.arxiv_link, paper.doi and f"https://doi.org/{paper.doi}"]
    values = {
        "@context": "https://schema.org",
        **_work(paper),
        "headline": plain(paper.title),
        "alternateName": [plain(title) for title in paper.also_titled],
        "author": [
            {
                "@type": "Person",
                "name": plain(f"{name.given} {name.family}"),
                "familyName": plain(name.family),
                "givenName": plain(name.given),
            }
            if name.given
            else {"@type": "Organization", "name": plain(name.family)}
            for name in paper.names
        ],
        "datePublished": str(paper.year or ""),
        "isPartOf": _venue(venue),
        "pagination": paper.pages,
        "description": plain(paper.summary),
        "keywords": [plain(catalog.leaves[leaf].name) for leaf in paper.leaves],
        "identifier": [
            {"@type": "PropertyValue", "propertyID": key, "value": value}
            for key in ("doi", "arxiv", "acl", "openreview")
            if (value := getattr(paper, key))
        ],
        "sameAs": [link for link in same if link and link != paper.link],
        "isBasedOn": [_work(other) for other in foundations],
    }
    return {key: value for key, value in values.items() if value}


def _work(paper: Paper) -> dict[str, str]:
    kind = TYPES.get(paper.kind, "ScholarlyArticle")
    return {"@type": kind, "name": plain(paper.title), "url": paper.link}


def _venue(venue: Venue) -> dict[str, str]:
    return {"@type": VENUES[venue.kind][1], "name": plain(venue.name), "url": venue.url}
