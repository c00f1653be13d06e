"""The table of all papers, and what its script needs to export a part of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from markupsafe import Markup

from ....data.implementations import Implementation
from ....data.papers import first_seen, full_authors, last_seen_first
from ....data.schema import RESOURCES, Catalog, Node, Paper
from ....export.bibtex import entry
from ....text.escape import html, safe
from ...shared.site import Site
from . import paper as single

FIRST = 100  # rows in the page itself: some screens of them; the others come when they are wanted


def pages(site: Site) -> Iterator[tuple[str, str]]:
    catalog = site.catalog
    papers = last_seen_first(catalog.papers)
    used = {paper.venue for paper in papers}
    rows = [row(site, paper) for paper in papers]
    yield site.render(
        "papers.md.j2",
        "papers/index.md",
        rows=rows[:FIRST],
        total=len(rows),
        span=span(papers),
        nodes=[branch for top in catalog.taxonomy for branch in branches(top)],
        venues=sorted((v for v in catalog.venues if v.id in used), key=lambda v: v.id.casefold()),
        kinds=sorted({paper.kind for paper in papers}),
        resources=RESOURCES,
    )
    if len(rows) > FIRST:
        yield site.render("all.md.j2", "papers/all.md", rows=rows)
        yield "export/papers.rows.js", script("atlasRows", rows[FIRST:])
    yield "export/papers.bib.js", bibtex_script(catalog)
    yield from single.pages(site)


def span(papers: Iterable[Paper]) -> tuple[int, int] | None:
    """The first and the last year in which one of the papers appeared."""
    known = [date.year for paper in papers if (date := first_seen(paper))]
    return (min(known), max(known)) if known else None


def branches(node: Node, depth: int = 0) -> Iterator[tuple[Node, int, str]]:
    """The node and all below it: each with its depth and the ids of its leaves."""
    yield node, depth, " ".join(leaf.id for leaf in node.leaves())
    for child in node.children:
        yield from branches(child, depth + 1)


def row(site: Site, paper: Paper) -> Markup:
    """The paper's row, as HTML: nothing in it is left for MkDocs to do."""
    catalog = site.catalog
    venue = catalog.venue[paper.venue]
    leaves = " ".join(
        f'<a href="../taxonomy/{leaf}.html">{html(catalog.leaves[leaf].name)}</a>'
        for leaf in paper.leaves
    )
    methods = ", ".join(
        f'<a href="../methods/{html(m.name)}.html"{also(site, m)}>{html(m.title)}</a>'
        for m in site.atlas.methods_of.get(paper.id, [])
    )
    date = first_seen(paper)
    mark = f'<span class="venue" style="--venue:{venue.color}">{html(venue.id)}</span>'
    cells = (
        f'<a href="{paper.id}.html">{html(paper.title)}</a><p>{html(paper.summary)}</p>',
        f"<p>{html(', '.join(full_authors(paper)))}</p>",
        str(date.year if date else ""),
        f"{mark} {paper.year}" if paper.year else mark,
        leaves,
        paper.kind,
        ", ".join(paper.modality),
        methods,
    )
    return safe(f"<tr><td>{'</td><td>'.join(cells)}</td></tr>")


def also(site: Site, method: Implementation) -> str:
    """By what other names the filter finds a method, as an attribute."""
    aliases = site.atlas.card(method.name).aliases
    return f' data-also="{html(", ".join(aliases))}"' if aliases else ""


def bibtex_script(catalog: Catalog) -> str:
    """Every entry as the exporter writes it, by id."""
    entries = {paper.id: entry(paper, catalog.venue[paper.venue]) for paper in catalog.papers}
    return script("atlasBibtex", entries)


def script(name: str, value: object) -> str:
    """A script that sets a variable: the only file that a page on a disk can load."""
    return f"window.{name} = {json.dumps(value, ensure_ascii=False, indent=0)};\n"
