"""The taxonomy: the tree, a page for each node, and how other surveys cut the field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from markupsafe import Markup

from tools import escape, markup
from tools.atlas import newest_first
from tools.readme import coverage
from tools.schema import Node

if TYPE_CHECKING:
    from tools.site import Site


def pages(site: Site) -> Iterator[tuple[str, str]]:
    yield site.render(
        "taxonomy.md.j2",
        "taxonomy/index.md",
        coverage=coverage(site.atlas),
        modalities=modalities(site, site.catalog.taxonomy),
    )
    for node in site.catalog.nodes.values():
        yield page(site, node)
    yield crosswalk(site)


def page(site: Site, node: Node) -> tuple[str, str]:
    above = site.atlas.line(node)
    beside = above[-1].children if above else site.catalog.taxonomy
    return site.render(
        "node.md.j2",
        f"taxonomy/{node.id}.md",
        node=node,
        trail=[("Taxonomy", "index.md"), *((n.name, f"{n.id}.md") for n in above)],
        siblings=[other for other in beside if other.id != node.id],
        papers=newest_first(site.atlas.papers(node)),
        modalities=modalities(site, node.children) if node.children else "",
    )


def modalities(site: Site, nodes: Iterable[Node]) -> Markup:
    """How many papers each node has for each modality; a gap is a dash."""
    modalities = site.catalog.modalities
    rows = []
    for node in nodes:
        papers = site.atlas.papers(node)
        numbers = (sum(m.id in paper.modality for paper in papers) for m in modalities)
        name = f"[{escape.page(node.name)}]({node.id}.md)"
        rows.append([name, *(str(number or "–") for number in numbers)])
    head = ["Branch", *(escape.page(m.id) for m in modalities)]
    legend = ", ".join(f"{escape.page(m.id)}: {escape.page(m.name)}" for m in modalities)
    body = markup.table(head, "l" + "r" * len(modalities), rows)
    return escape.safe(f"{body}\n\n{legend}.\n{{: .meta }}")


def crosswalk(site: Site) -> tuple[str, str]:
    leaves = site.catalog.leaves.values()
    named = {survey for leaf in leaves for survey in leaf.elsewhere}
    surveys = newest_first(paper for paper in site.catalog.papers if paper.id in named)
    rows = []
    for leaf in leaves:
        line = [*site.atlas.line(leaf), leaf]
        label = " / ".join(f"[{escape.page(n.name)}](taxonomy/{n.id}.md)" for n in line)
        rows.append([label, *(escape.page(leaf.elsewhere.get(s.id, "")) for s in surveys)])
    head = [f"[{escape.page(site.cited(s.id))}](papers/{s.id}.md)" for s in surveys]
    table = markup.table(["Leaf", *head], "l" * (len(head) + 1), rows)
    return site.render("crosswalk.md.j2", "crosswalk.md", table=table)
