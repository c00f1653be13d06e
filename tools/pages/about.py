"""The home page, and the pages about the project itself."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from tools import markup, rules
from tools.__main__ import COMMANDS

if TYPE_CHECKING:
    from tools.site import Site


def pages(site: Site) -> Iterator[tuple[str, str]]:
    yield site.render("index.md.j2", "index.md", gaps=site.atlas.gaps(site.catalog.taxonomy))
    yield venues(site)
    yield checks(site)
    text = markup.from_repository(site.contributing)
    yield site.render("contributing.md.j2", "contributing.md", text=text)
    yield site.render("commands.md.j2", "commands.md", commands=list(commands()))


def venues(site: Site) -> tuple[str, str]:
    number = {venue.id: 0 for venue in site.catalog.venues}
    for paper in site.catalog.papers:
        number[paper.venue] += 1
    listed = [(venue, number[venue.id]) for venue in site.catalog.venues]
    return site.render("venues.md.j2", "venues.md", venues=listed)


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
