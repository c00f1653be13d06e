"""A page for each paper: what it is, how to cite it, what is known of it, and what runs here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ....atlas import Atlas
from ....data.implementations import Implementation
from ....data.parity import verdicts
from ....data.schema import Paper
from ....export import formats as export
from ....records.evidence import FIELDS, MEANINGS, State
from ....records.evidence import state as state_of
from ....text.escape import safe
from ....text.markup import listed
from ...shared.site import Site
from . import paper_head

# What is known of an entry, in a word for its mark, and whether that is good.
MARKS: dict[State, tuple[str, str]] = {
    "verified": ("verified", "agrees"),
    "seconded": ("seconded", "agrees"),
    "unverified": ("not verified yet", "unknown"),
    "contradicted": ("contradicted", "differs"),
}
# What a reader calls the fields that are compared.
CALLED = {"arxiv": "arXiv", "doi": "DOI", "acl": "ACL identifier", "openreview": "OpenReview"}


class Source(NamedTuple):
    """A record: what keeps it and where, of what kind and since when, what is the same or not."""

    name: str
    link: str
    place: str
    same: str
    differs: list[str]


class Mark(NamedTuple):
    """Whether an entry is verified: its name, how it looks, what that means, and who said what.

    unvouched: the fields of the entry that no record prints as it does.
    """

    name: str
    look: str
    meaning: str
    sources: list[Source]
    unvouched: str


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
        accents=True,
        paper=paper,
        head=paper_head.meta(catalog, paper),
        linked_data=paper_head.linked_data(catalog, paper, before),
        place=atlas.places.get(paper.id, ("papers.yaml", 0)),
        authors=safe(", ".join(site.author_links[name] for name in paper.names)),
        venue=catalog.venue[paper.venue],
        venue_page=site.venue_pages[paper.venue],
        mark=mark(atlas, paper),
        codes=[code(atlas, method) for method in atlas.methods_of.get(paper.id, [])],
        gap=paper.kind == "method",
        links=links(paper),
        identifiers=identifiers(paper),
        leaves=[catalog.leaves[leaf] for leaf in paper.leaves],
        before=before,
        after=after,
        related=[other for other in atlas.related[paper.id] if other.id not in named],
        bibtex=export.bibtex(catalog, [paper]),
    )


def mark(atlas: Atlas, paper: Paper) -> Mark:
    """What is known of the entry, and which field which record vouches for."""
    judged = [atlas.judge(paper, one) for one in atlas.evidence.get(paper.id, ())]
    state = state_of(judged)
    sources, every = [], set()
    for each in judged:
        one = each.one
        every |= {*each.vouched}
        kind = "registry" if one.registry else "kept by others"
        commit = f"commit {one.commit[:8]}, " if one.commit else ""
        sources.append(
            Source(
                f"{one.source} {one.path}".strip(),
                one.link,
                f"{kind}, {commit}seen {one.seen}",
                called(each.vouched),
                [*map(str, each.differences)],
            )
        )
    filled = [name for name in FIELDS if getattr(paper, name) and name not in every]
    return Mark(*MARKS[state], MEANINGS[state], sources, called(filled))


def called(fields: Iterable[str]) -> str:
    """The fields in words: 'title, authors and DOI'."""
    return listed(CALLED.get(name, name) for name in fields)


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
