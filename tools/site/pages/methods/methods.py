"""The table of all methods, and a page for each."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from markupsafe import Markup

from ....data.implementations import Implementation
from ....data.schema import Node
from ....data.tasks import task_of
from ....drawings.figure import drawing
from ....export.bibtex import entry
from ....text import escape, markup
from ...shared.site import Site
from . import cost
from . import method as method_page


def pages(site: Site) -> Iterator[tuple[str, str]]:
    methods = site.atlas.methods_by_leaf
    yield site.render(
        "methods.md.j2",
        "methods/index.md",
        table=overview(site, methods),
        branches=branches(site, methods),
    )
    for method in methods:
        yield page(site, method)
        yield f"methods/{method.name}.py", site.atlas.source[method.name]


def branches(site: Site, methods: list[Implementation]) -> list[tuple[Node, list[dict]]]:
    """The top branches of the taxonomy with their methods, each with what its card says."""
    found: dict[str, list[dict]] = {}
    for method in methods:
        leaf = site.catalog.leaves[method.leaf]
        branch = site.catalog.tops[leaf.id]
        share = cost.trained_share(site.atlas, method)
        card = {"method": method, "leaf": leaf, "share": share}
        found.setdefault(branch.id, []).append(card)
    return [(site.catalog.nodes[branch], cards) for branch, cards in found.items()]


def overview(site: Site, methods: list[Implementation]) -> Markup:
    head = ["Method", "Leaf", "Paper", "Starts as the base", "Merges", "Base untouched"]
    rows = []
    for method in methods:
        leaf = site.catalog.leaves[method.leaf]
        declared = (method.init_noop, method.mergeable, method.frozen_base)
        scores = (
            f"{100 * runs[method.name].score:.1f}" if method.name in runs else "–"
            for runs in site.atlas.runs.values()
        )
        rows.append(
            [
                f"[{escape.page(method.title)}]({quote(method.name)}.md)",
                f"[{escape.page(leaf.name)}](../taxonomy/{leaf.id}.md)",
                f"[{escape.page(site.cited(method.paper))}](../papers/{method.paper}.md)",
                *("yes" if value else "no" for value in declared),
                *scores,
            ]
        )
    tasks = [escape.page(task_of(name).short) for name in site.atlas.runs]
    return markup.table([*head, *tasks], "llllll" + "r" * len(tasks), rows)


def page(site: Site, method: Implementation) -> tuple[str, str]:
    paper, card = site.catalog.paper[method.paper], site.atlas.card(method.name)
    return site.render(
        "method.md.j2",
        f"methods/{method.name}.md",
        **method_page.values(site.atlas, method),
        drawing=drawing(method.title, card.drawn),
        aliases=card.aliases,
        leaf=site.catalog.leaves[method.leaf],
        paper=paper,
        bibtex=entry(paper, site.catalog.venue[paper.venue]),
    )
