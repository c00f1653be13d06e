"""A page for each paper: what it is, how to cite it, what is known of it, and what runs here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ....atlas import Atlas
from ....data.implementations import Implementation
from ....data.papers import full_authors
from ....data.parity import verdicts
from ....data.schema import Paper
from ....export import formats as export
from ....records.evidence import MEANINGS, Evidence, State, disagreements
from ....records.evidence import state as state_of
from ....text.markup import listed
from ...shared.site import Site
from . import paper_head

# How a citation is shown: its name, the exporter's format, and the language of its text.
CITED_AS = (("BibTeX", "bibtex", "bibtex"), ("RIS", "ris", "text"), ("CSL-JSON", "csl", "json"))
# What is known of an entry, in a word for its mark, and whether that is good.
MARKS: dict[State, tuple[str, str]] = {
    "verified": ("verified", "agrees"),
    "seconded": ("seconded", "agrees"),
    "unverified": ("not verified yet", "unknown"),
    "contradicted": ("contradicted", "differs"),
}


class Mark(NamedTuple):
    """Whether an entry is verified: its name, how it looks, what that means, and who said what."""

    name: str
    look: str
    meaning: str
    sources: list[tuple[str, str, str]]


class Code(NamedTuple):
    """An implementation of a paper, and the state of its tests."""

    method: Implementation
    verdicts: list[tuple[str, bool]]
    runs: str


def pages(site: Site) -> Iterator[tuple[str, str]]:
    for paper in site.catalog.papers:
        yield page(site, paper)


def page(site: Site, paper: Paper) -> tuple[str, str]:
    atlas, catalog = site.atlas, site.catalog
    before, after = atlas.builds_on[paper.id], atlas.built_on_by[paper.id]
    named = {other.id for other in [*before, *after]}
    return site.render(
        "paper.md.j2",
        f"papers/{paper.id}.md",
        paper=paper,
        head=paper_head.meta(catalog, paper),
        linked_data=paper_head.linked_data(catalog, paper, before),
        line=atlas.lines.get(paper.id, 0),
        authors=full_authors(paper),
        venue=catalog.venue[paper.venue],
        mark=mark(atlas, paper),
        codes=[code(atlas, method) for method in atlas.methods_of.get(paper.id, [])],
        gap=paper.kind == "method",
        links=links(paper),
        identifiers=identifiers(paper),
        leaves=[catalog.leaves[leaf] for leaf in paper.leaves],
        before=before,
        after=after,
        related=[other for other in atlas.related[paper.id] if other.id not in named],
        citations=[
            (name, export.FORMATS[style](catalog, [paper], "", {}), language)
            for name, style, language in CITED_AS
        ],
    )


def mark(atlas: Atlas, paper: Paper) -> Mark:
    """What other sources say of the entry, each with what it is, when it was asked, and what of."""
    evidence = atlas.evidence.get(paper.id, ())
    state = state_of(paper, evidence)
    name, look = MARKS[state]
    sources = [
        (
            one.source,
            f"{'registry' if one.registry else 'list'}, seen {one.seen}",
            "; ".join(disagreements(paper, one)) or f"same {compared(one)}",
        )
        for one in evidence
    ]
    return Mark(name, look, MEANINGS[state], sources)


def compared(evidence: Evidence) -> str:
    """What a source could be compared in: 'title, authors and year'."""
    parts = (
        ("title", evidence.title),
        ("first authors" if evidence.truncated else "authors", evidence.authors),
        ("year", evidence.year or evidence.first_year),
    )
    return listed(name for name, there in parts if there)


def code(atlas: Atlas, method: Implementation) -> Code:
    """How the implementation compares with libraries, and whether its runs are current."""
    runs = [own[method.name] for own in atlas.runs.values() if method.name in own]
    old = sum(not run.current for run in runs)
    if not runs:
        said = "no committed run yet"
    else:
        said = "1 committed run" if len(runs) == 1 else f"{len(runs)} committed runs"
        said += f", {old} older than the code" if old else ", current with the code"
    return Code(method, verdicts(atlas.parity.get(method.name, ())), said)


def links(paper: Paper) -> list[tuple[str, str]]:
    """Where a paper can be read, as (label, link); each link once, the publication first."""
    forum = paper.openreview and f"https://openreview.net/forum?id={paper.openreview}"
    every = [
        ("Publication", paper.link if paper.acl or paper.doi or paper.openreview else None),
        ("Page", paper.url),
        ("Preprint", paper.arxiv_link),
        ("PDF", paper_head.pdf(paper)),
        ("Reviews", forum),
        ("Authors' code", paper.code),
    ]
    found: dict[str, str] = {}
    for label, link in every:
        if link:
            found.setdefault(link, label)
    return [(label, link) for link, label in found.items()]


def identifiers(paper: Paper) -> list[tuple[str, str, str]]:
    """The names under which registries know the paper, as (registry, identifier, link)."""
    every = (
        ("DOI", paper.doi, "https://doi.org/"),
        ("arXiv", paper.arxiv, "https://arxiv.org/abs/"),
        ("ACL Anthology", paper.acl, "https://aclanthology.org/"),
        ("OpenReview", paper.openreview, "https://openreview.net/forum?id="),
    )
    return [(name, key, f"{start}{key}") for name, key, start in every if key]
