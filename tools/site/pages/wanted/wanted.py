"""What is wanted: works that the catalog lacks, by leaf, each with the form that suggests it."""

from __future__ import annotations

from collections.abc import Iterator

from ....data.committed import CommittedError
from ....data.schema import Node
from ....data.wanted import FILE, Wanted
from ....records.identifiers import KINDS, find
from ....records.record import letters
from ...shared.site import Site


def pages(site: Site) -> Iterator[tuple[str, str]]:
    groups = by_node(site, missing(site))
    number = sum(len(own) for _, own in groups)
    yield site.render("wanted.md.j2", "papers/wanted.md", groups=groups, number=number)


def missing(site: Site) -> list[Wanted]:
    """What the catalog still lacks: an entry that has been added needs no word about it here."""
    papers = site.catalog.papers
    titles = {letters(title) for paper in papers for title in (paper.title, *paper.also_titled)}
    known = {(kind, getattr(paper, kind)) for paper in papers for kind in KINDS}
    return [
        work
        for work in site.atlas.wanted
        if letters(work.title) not in titles and not known & {*find(work.link).items()}
    ]


def by_node(site: Site, works: list[Wanted]) -> list[tuple[Node, list[Wanted]]]:
    """The works of each node, by the taxonomy's order, the newest first. Raises CommittedError."""
    found: dict[str, list[Wanted]] = {node: [] for node in site.catalog.nodes}
    for work in works:
        if work.node not in found:
            raise CommittedError(f"{FILE.as_posix()}: the taxonomy has no '{work.node}'")
        found[work.node].append(work)
    return [
        (site.catalog.nodes[node], sorted(own, key=lambda work: (-work.year, work.title)))
        for node, own in found.items()
        if own
    ]
