"""The home page, and the pages about the project itself."""

from __future__ import annotations

import argparse
import importlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from markupsafe import Markup

from tools import escape, markup, rules
from tools.__main__ import COMMANDS
from tools.atlas import Atlas, newest_first

if TYPE_CHECKING:
    from tools.site import Site

NEWEST = 3  # papers on the home page


def pages(site: Site) -> Iterator[tuple[str, str]]:
    yield home(site)
    yield venues(site)
    yield checks(site)
    text = markup.from_repository(site.contributing)
    yield site.render("contributing.md.j2", "contributing.md", text=text)
    yield site.render("commands.md.j2", "commands.md", commands=list(commands()))


def home(site: Site) -> tuple[str, str]:
    atlas, tree = site.atlas, site.catalog.taxonomy
    families = [node for node in tree if node.main or atlas.implementations(node)]
    running = [paper for paper in site.catalog.papers if paper.id in atlas.methods_of]
    return site.render(
        "index.md.j2",
        "index.md",
        families=families,
        others=[node for node in tree if node not in families],
        gaps=atlas.gaps(tree),
        newest=newest_first(running)[:NEWEST],
        parity=compared(atlas),
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


def venues(site: Site) -> tuple[str, str]:
    number = Counter(paper.venue for paper in site.catalog.papers)
    venues = [(venue, number[venue.id]) for venue in site.catalog.venues]
    return site.render("venues.md.j2", "venues.md", venues=venues)


def checks(site: Site) -> tuple[str, str]:
    every = rules.load().values()
    families = [
        (name, [rule for rule in every if int(rule.code[1]) == digit])
        for digit, name in enumerate(rules.FAMILIES.values())
    ]
    return site.render("rules.md.j2", "rules.md", families=families)


def commands() -> Iterator[tuple[str, str, str]]:
    """Each command of the catalog: its name, what its module says of it, and its own help."""
    for name, (module_name, purpose) in COMMANDS.items():
        module = importlib.import_module(f"tools.{module_name}")
        parser = argparse.ArgumentParser(prog=f"python -m tools {name}", description=purpose)
        module.arguments(parser)
        # as wide on every machine, and without paths of this one
        parser.formatter_class = partial(argparse.HelpFormatter, width=90)
        text = (module.__doc__ or "").strip()
        yield name, text.partition("\n\n")[2], parser.format_help()
