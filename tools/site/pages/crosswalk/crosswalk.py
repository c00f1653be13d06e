"""How surveys cut the field that this taxonomy cuts, leaf by leaf and class by class.

What is compared is read off the categories that the catalog names for each leaf: whether a survey
has a category of its own for a leaf, one for several of ours, or none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ....data.papers import newest_first
from ....data.schema import Node, Paper
from ...shared.site import Site

# How the catalog begins where a survey says that it has no category for a leaf.
NO_CLASS = "Not a class"


@dataclass(frozen=True)
class Counterpart:
    """What a survey has for a leaf: its `category`, and our other leaves that share it.

    `kind` is 'own' (a category for this leaf alone), 'wider' (for several) or 'none'.
    """

    survey: Paper
    kind: str
    category: str = ""
    shared: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Cut:
    """A survey's own classes, outermost, each with our leaves in it by their top branch."""

    survey: Paper
    classes: tuple[tuple[str, tuple[tuple[Node, tuple[Node, ...]], ...]], ...]
    own: int
    wider: int
    none: int


def pages(site: Site) -> Iterator[tuple[str, str]]:
    leaves = list(site.catalog.leaves.values())
    named = {survey for leaf in leaves for survey in leaf.elsewhere}
    surveys = newest_first(paper for paper in site.catalog.papers if paper.id in named)
    compared = [leaf for leaf in leaves if leaf.elsewhere]
    rows = {leaf.id: [counterpart(leaf, survey, leaves) for survey in surveys] for leaf in compared}
    yield site.render(
        "crosswalk.md.j2",
        "crosswalk.md",
        surveys=surveys,
        groups=[
            (top, [leaf for leaf in top.leaves() if leaf.id in rows])
            for top in site.catalog.taxonomy
            if any(leaf.id in rows for leaf in top.leaves())
        ],
        rows=rows,
        cuts=[cut(site, survey, compared) for survey in surveys],
        left_out=[node for top in site.catalog.taxonomy for node in left_out(top)],
    )


def left_out(node: Node) -> list[Node]:
    """What has no counterpart anywhere: a whole branch as one, of the others the leaves."""
    if not any(leaf.elsewhere for leaf in node.leaves()):
        return [node]
    return [left for child in node.children for left in left_out(child)]


def counterpart(leaf: Node, survey: Paper, leaves: list[Node]) -> Counterpart:
    category = leaf.elsewhere.get(survey.id, "")
    if not category or category.startswith(NO_CLASS):
        return Counterpart(survey, "none", category)
    shared = tuple(
        other for other in leaves if other != leaf and other.elsewhere.get(survey.id) == category
    )
    return Counterpart(survey, "wider" if shared else "own", category, shared)


def cut(site: Site, survey: Paper, leaves: list[Node]) -> Cut:
    found: dict[str, dict[str, list[Node]]] = {}
    kinds = []
    for leaf in leaves:
        same = counterpart(leaf, survey, leaves)
        kinds.append(same.kind)
        if same.kind != "none":
            outermost = same.category.split(" / ")[0]
            top = site.catalog.tops[leaf.id]
            found.setdefault(outermost, {}).setdefault(top.id, []).append(leaf)
    nodes = site.catalog.nodes
    return Cut(
        survey,
        tuple(
            (name, tuple((nodes[top], tuple(own)) for top, own in tops.items()))
            for name, tops in found.items()
        ),
        *(kinds.count(kind) for kind in ("own", "wider", "none")),
    )
