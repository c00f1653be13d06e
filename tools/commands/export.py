"""`python -m tools export FORMAT`: the catalog, or a part of it, for other programs."""

from __future__ import annotations

import argparse
import sys

from ..data.files import ROOT
from ..data.findings import nearest
from ..data.implementations import discover
from ..data.schema import Catalog, Paper
from ..export.formats import FORMATS, as_json, dump_schema
from ..rules.catalog import read


class ExportError(Exception):
    """What was asked for is not in the catalog; one line."""


def chosen(
    catalog: Catalog, *, leaf: str = "", venue: str = "", year: int = 0, paper: str = ""
) -> list[Paper]:
    """The papers that fit everything that is given; `leaf` may be a branch.

    Raises ExportError where the catalog does not know the leaf, the venue or the paper.
    """
    for kind, value, known in (
        ("leaf or branch", leaf, catalog.nodes),
        ("venue", venue, catalog.venue),
        ("paper", paper, catalog.paper),
    ):
        if value and value not in known:
            near = nearest(value, known)
            hint = f"; did you mean '{near}'?" if near else ""
            raise ExportError(f"'{value}' is no {kind}{hint}")
    leaves = {node.id for node in catalog.nodes[leaf].leaves()} if leaf else set()
    return [
        p
        for p in catalog.papers
        if (not leaf or leaves & {*p.leaves})
        and (not venue or p.venue == venue)
        and (not year or p.year == year)
        and (not paper or p.id == paper)
    ]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("format", choices=[*FORMATS, "json-schema"])
    parser.add_argument("--leaf", default="", help="only of this leaf or branch of the taxonomy")
    parser.add_argument("--venue", default="", help="only of this venue")
    parser.add_argument("--year", type=int, default=0, help="only of this year")
    parser.add_argument("--paper", default="", help="only this paper, by its id")


def main(options: argparse.Namespace) -> int:
    if options.format == "json-schema":
        sys.stdout.write(as_json(dump_schema()))
        return 0
    catalog = read(ROOT / "papers.yaml")
    papers = chosen(
        catalog,
        leaf=options.leaf,
        venue=options.venue,
        year=options.year,
        paper=options.paper,
    )
    topic = catalog.nodes[options.leaf].name if options.leaf else ""
    sys.stdout.write(FORMATS[options.format](catalog, papers, topic, discover(ROOT)))
    return 0
