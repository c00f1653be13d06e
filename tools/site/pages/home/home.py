"""The home page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from markupsafe import Markup

from ....atlas import Atlas
from ....data.papers import last_seen_first
from ....text import escape, markup
from ...shared.figures import sizes_of
from ...shared.site import Site

NEWEST = 3  # papers on the home page


def pages(site: Site) -> Iterator[tuple[str, str]]:
    yield home(site)


def home(site: Site) -> tuple[str, str]:
    atlas, tree = site.atlas, site.catalog.taxonomy
    families = [node for node in tree if node.main or atlas.implementations(node)]
    running = [paper for paper in site.catalog.papers if paper.id in atlas.methods_of]
    return site.render(
        "home.md.j2",
        "index.md",
        families=families,
        others=[node for node in tree if node not in families],
        gaps=atlas.gaps(tree),
        papers=sum(paper.is_paper for paper in site.catalog.papers),
        newest=last_seen_first(running)[:NEWEST],
        parity=compared(atlas),
        trained=sizes_of(atlas.runs),
    )


def compared(atlas: Atlas) -> dict[str, object]:
    """How the comparisons with other implementations came out, all methods together."""
    every = [one for comparisons in atlas.parity.values() for one in comparisons]
    number = Counter(one.outcome for one in every)
    outcomes = {
        "equal": number["equal"],
        "after": number["equal-after"],
        "deviates": number["deviates"],
    }
    return {
        "total": len(every),
        "methods": sum(map(bool, atlas.parity.values())),
        "libraries": escape.page(markup.listed(sorted({one.library for one in every}))),
        **outcomes,
        "bar": bar(outcomes),
    }


def bar(parts: dict[str, int]) -> Markup:
    """The shares of a whole, side by side; the words beside it say the same."""
    return escape.safe(
        '<div class="shares" aria-hidden="true">'
        + "".join(
            f'<span class="{name}" style="flex-grow: {n}"></span>' for name, n in parts.items()
        )
        + "</div>"
    )
