"""What is new: the entries added last, the feeds that tell of them, and every page's address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from ....data.papers import Date
from ....data.schema import Node, Paper
from ....export import feeds
from ....export.formats import FORMATS
from ...shared.site import Site

# A month with more entries than this is divided by branch.
FEW = 8


class Month(NamedTuple):
    """The entries of a month that are shown, by the top branch of their first leaf, or (None, all)
    where they are few; `number` counts all of the month, `shown` those that are shown.
    """

    date: Date
    number: int
    shown: int
    groups: list[tuple[Node | None, list[Paper]]]


class Branch(NamedTuple):
    """A branch to follow: how many papers it has, and on which day the last was added."""

    node: Node
    number: int
    newest: str


def pages(site: Site) -> Iterator[tuple[str, str]]:
    newest = feeds.newest(site.catalog.papers)
    branches = [branch(site, node) for node in site.catalog.taxonomy]
    yield site.render(
        "news.md.j2",
        "news.md",
        months=months(site, newest),
        shown=len(newest),
        branches=branches,
        undated=[paper for paper in site.catalog.papers if not paper.added],
    )
    for node in site.catalog.nodes.values():
        if not node.is_leaf:  # leaves have theirs among the exports
            papers = list(site.atlas.papers(node))
            for style, ending in (("atom", ".xml"), ("jsonfeed", ".feed.json")):
                text = FORMATS[style](site.catalog, papers, node.name, {})
                yield f"export/{node.id}{ending}", text
    yield "export/addresses.json", json.dumps(addresses(site), ensure_ascii=False) + "\n"


def branch(site: Site, node: Node) -> Branch:
    papers = site.atlas.papers(node)
    return Branch(node, len(papers), max((paper.added or "" for paper in papers), default=""))


def months(site: Site, papers: list[Paper]) -> list[Month]:
    """By the month in which they were added, the newest first."""
    found = []
    for date, entries in groupby(papers, key=lambda paper: (paper.added or "")[:7]):
        listed = list(entries)
        groups: list[tuple[Node | None, list[Paper]]] = [(None, listed)]
        if len(listed) > FEW:
            tops = {p.id: site.catalog.tops[p.leaves[0]] for p in listed}
            groups = [
                (node, own)
                for node in site.catalog.taxonomy
                if (own := [paper for paper in listed if tops[paper.id] is node])
            ]
        number = sum((paper.added or "").startswith(date) for paper in site.catalog.papers)
        found.append(Month(Date(*map(int, date.split("-"))), number, len(listed), groups))
    return found


def addresses(site: Site) -> dict[str, str]:
    """What papers, methods and nodes are called, by their address: for a page that is not found."""
    return {
        **{f"papers/{p.id}.html": p.title for p in site.catalog.papers},
        **{f"methods/{m.name}.html": m.title for m in site.atlas.methods.values()},
        **{f"taxonomy/{node.id}.html": node.name for node in site.catalog.nodes.values()},
    }
