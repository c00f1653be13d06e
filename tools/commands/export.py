"""`python -m tools export FORMAT`: the catalog, or a part of it, for other programs.

`sqlite --output atlas.sqlite` makes a database of one file. Its table `papers` can be searched,
with accents or without, by title, authors, summary, and names and aliases of leaves: in Datasette
as it is, in SQL with
`WHERE rowid IN (SELECT rowid FROM papers_fts WHERE papers_fts MATCH 'ruckle adapters')`.
Only a database that this command made is replaced by one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..data.files import ROOT, write
from ..data.findings import nearest
from ..data.implementations import discover
from ..data.schema import Catalog, Paper
from ..export.formats import FORMATS, as_json, dump_schema
from ..export.sqlite import database, is_ours
from ..rules.catalog import read

SQLITE = "sqlite"  # the one format that is no text
SCHEMA = "json-schema"


class ExportError(Exception):
    """What was asked for is not in the catalog, or cannot be put where it should be; one line."""


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
    parser.add_argument("format", choices=[*FORMATS, SQLITE, SCHEMA])
    parser.add_argument("--leaf", default="", help="only of this leaf or branch of the taxonomy")
    parser.add_argument("--venue", default="", help="only of this venue")
    parser.add_argument("--year", type=int, default=0, help="only of this year")
    parser.add_argument("--paper", default="", help="only this paper, by its id")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write to this file; sqlite needs one"
    )


def main(options: argparse.Namespace) -> int:
    path: Path | None = options.output
    if path is None and options.format == SQLITE:
        raise ExportError("a database is no text to print: say where it goes with --output FILE")
    if path is not None and path.exists():
        path = path.resolve()  # what a link leads to is written, and the link stays
        if not path.is_file():
            raise ExportError(f"'{options.output}' is no file")
        if options.format == SQLITE and not is_ours(path):
            raise ExportError(f"'{options.output}' is no database of ours; it stays as it is")
    content = exported(options)
    if path is not None:
        write(path, content)
    elif isinstance(content, str):
        sys.stdout.write(content)
    return 0


def exported(options: argparse.Namespace) -> str | bytes:
    """The content of the file that was asked for. Raises ExportError as `chosen`."""
    if options.format == SCHEMA:
        return as_json(dump_schema())
    catalog = read(ROOT / "papers.yaml")
    papers = chosen(
        catalog,
        leaf=options.leaf,
        venue=options.venue,
        year=options.year,
        paper=options.paper,
    )
    methods = discover(ROOT)
    if options.format == SQLITE:
        return database(catalog, papers, methods)
    topic = catalog.nodes[options.leaf].name if options.leaf else ""
    return FORMATS[options.format](catalog, papers, topic, methods)
