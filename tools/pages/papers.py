"""The table of all papers, and a page for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.atlas import full_authors, newest_first, years
from tools.bibtex import entry
from tools.schema import Paper

if TYPE_CHECKING:
    from tools.site import Site


def pages(site: Site) -> Iterator[tuple[str, str]]:
    papers = site.catalog.papers
    yield site.render(
        "papers.md.j2", "papers/index.md", papers=newest_first(papers), span=years(papers)
    )
    for paper in papers:
        yield page(site, paper)


def page(site: Site, paper: Paper) -> tuple[str, str]:
    catalog = site.catalog
    return site.render(
        "paper.md.j2",
        f"papers/{paper.id}.md",
        paper=paper,
        authors=full_authors(paper),
        venue=catalog.venue[paper.venue],
        methods=site.atlas.methods_of.get(paper.id, []),
        gap=paper.kind == "method",
        links=links(paper),
        leaves=[catalog.leaves[leaf] for leaf in paper.leaves],
        related=site.atlas.related[paper.id],
        bibtex=entry(paper, catalog.venue[paper.venue]),
    )


def links(paper: Paper) -> list[tuple[str, str, str]]:
    """Where a paper can be found, as (label, text, link); each link once, the publication first."""
    forum = f"https://openreview.net/forum?id={paper.openreview}"
    every = [
        ("Publication", paper.link, paper.link),
        ("Preprint", f"arXiv:{paper.arxiv}", paper.arxiv_link),
        ("DOI", paper.doi, f"https://doi.org/{paper.doi}" if paper.doi else None),
        ("Reviews", forum, forum if paper.openreview else None),
        ("Page", paper.url, paper.url),
        ("Authors' code", paper.code, paper.code),
    ]
    found: dict[str, tuple[str, str, str]] = {}
    for label, text, link in every:
        if link and text:
            found.setdefault(link, (label, text, link))
    return list(found.values())
