"""The taxonomy: a map of it, what there is for each modality, and a page for each node."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ....atlas import coverage
from ....data.papers import last_seen_first, oldest_first
from ....data.schema import Node
from ...shared.site import Site


class Cell(NamedTuple):
    """How many papers a node has of a modality, and how dark that is drawn (0 to 1)."""

    modality: str
    number: int
    shade: float


def pages(site: Site) -> Iterator[tuple[str, str]]:
    top = site.catalog.taxonomy
    yield site.render(
        "taxonomy.md.j2",
        "taxonomy/index.md",
        coverage=coverage(site.atlas),
        groups=[
            ("Main branches", [node for node in top if node.main]),
            ("Around them", [node for node in top if not node.main]),
        ],
        matrix=matrix(site, top),
        size=sizes(site),
        words={node.id: words(site, node) for node in site.catalog.nodes.values()},
    )
    for node in site.catalog.nodes.values():
        yield page(site, node)


def page(site: Site, node: Node) -> tuple[str, str]:
    above = site.atlas.line(node)
    papers = last_seen_first(site.atlas.papers(node))
    own = {leaf.id for leaf in node.leaves()}
    beside = above[-1].children if above else site.catalog.taxonomy
    return site.render(
        "node.md.j2",
        f"taxonomy/{node.id}.md",
        node=node,
        trail=[
            ("Taxonomy", "taxonomy/index.html"),
            *((n.name, f"taxonomy/{n.id}.html") for n in above),
        ],
        siblings=[other for other in beside if other.id != node.id],
        papers=papers,
        start=oldest_first(p for p in papers if p.start_here and p.leaves[0] in own),
        matrix=matrix(site, node.children),
    )


def matrix(site: Site, nodes: Iterable[Node]) -> list[tuple[Node, list[Cell]]]:
    """How many papers each node has for each modality; a gap has the number 0."""
    modalities = [modality.id for modality in site.catalog.modalities]
    rows = []
    for node in nodes:
        papers = site.atlas.papers(node)
        rows.append((node, [sum(m in paper.modality for paper in papers) for m in modalities]))
    most = max((number for _, numbers in rows for number in numbers), default=0)
    return [
        (node, [Cell(m, n, _shade(n, most)) for m, n in zip(modalities, numbers, strict=True)])
        for node, numbers in rows
    ]


def _shade(number: int, most: int) -> float:
    """Logarithmic, so that one paper can be told from none beside a cell with a hundred."""
    return round(math.log1p(number) / math.log1p(most), 2) if number else 0


def sizes(site: Site) -> dict[str, float]:
    """The diameter of each node's disk by the node's id: its area goes with its papers."""
    numbers = {node.id: len(site.atlas.papers(node)) for node in site.catalog.nodes.values()}
    most = max(numbers.values(), default=0) or 1
    return {node: round(math.sqrt(number / most), 3) for node, number in numbers.items()}


def words(site: Site, node: Node) -> str:
    """What a reader may type to find a node: its name and id, and those of its methods."""
    own = [node.name, node.id, *node.aliases]
    if node.is_leaf:
        for method in site.atlas.implementations(node):
            own += [method.name, method.title, *site.atlas.card(method.name).aliases]
    return " ".join(own).lower()
