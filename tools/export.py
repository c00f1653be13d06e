"""`python -m tools export FORMAT`: the catalog, or a part of it, for other programs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tools import feeds
from tools.atlas import short_authors
from tools.bibtex import entry
from tools.catalog import read
from tools.citations import csl, ris
from tools.escape import plain
from tools.findings import nearest
from tools.implementations import Implementation, discover
from tools.schema import Catalog, Paper, Venue

ROOT = Path(__file__).resolve().parent.parent
Methods = Mapping[str, Implementation]


class ExportError(Exception):
    """What was asked for is not in the catalog; one line."""


def bibtex(catalog: Catalog, papers: Iterable[Paper], *, latex: bool = False) -> str:
    """Entries in Unicode; with `latex`, in ASCII."""
    return "\n".join(entry(p, catalog.venue[p.venue], latex=latex) for p in papers)


def csl_json(catalog: Catalog, papers: Iterable[Paper]) -> str:
    """A list of items."""
    items = ",\n".join(_csl_item(paper, catalog.venue[paper.venue]) for paper in papers)
    return f"[\n{items}\n]\n"


@cache
def _csl_item(paper: Paper, venue: Venue) -> str:
    return json.dumps(csl(paper, venue), indent=1, ensure_ascii=False)


def dump(catalog: Catalog, papers: Iterable[Paper], methods: Methods) -> dict[str, Any]:
    """Everything that the catalog and the methods say of the papers (see `dump_schema`)."""
    names: dict[str, list[str]] = {}
    for name in sorted(methods):
        names.setdefault(methods[name].paper, []).append(name)
    return {
        "$schema": "papers.export.schema.json",
        "license": "CC0-1.0",
        "papers": [
            {
                **paper.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
                "authors": [
                    {"family": n.family, "given": n.given} if n.given else {"literal": n.family}
                    for n in paper.names
                ],
                "venue": {"id": paper.venue, "name": catalog.venue[paper.venue].name},
                "link": paper.link,
                **({"implementations": names[paper.id]} if paper.id in names else {}),
            }
            for paper in papers
        ],
    }


def dump_schema() -> dict[str, Any]:
    """The JSON Schema (draft-07) of `dump`: the catalog's, with names and venues spelled out, and
    with the names of implementations."""
    from tools.schema import json_schema

    schema = json.loads(json_schema())
    paper = schema["definitions"]["Paper"]
    text = {"type": "string", "minLength": 1}
    person = {
        "type": "object",
        "properties": {"family": text, "given": text},
        "required": ["family", "given"],
        "additionalProperties": False,
    }
    group = {
        "type": "object",
        "properties": {"literal": text},
        "required": ["literal"],
        "additionalProperties": False,
    }
    paper["properties"] |= {
        "authors": {"type": "array", "minItems": 1, "items": {"anyOf": [person, group]}},
        "venue": {
            "type": "object",
            "properties": {"id": text, "name": text},
            "required": ["id", "name"],
            "additionalProperties": False,
        },
        "link": {"type": "string", "format": "uri"},
        "implementations": {"type": "array", "minItems": 1, "items": text},
    }
    paper["required"] = [*paper["required"], "link"]
    return {
        "$schema": schema["$schema"],
        "title": "Fine-Tuning Atlas: exported papers",
        "type": "object",
        "properties": {
            "$schema": {"type": "string"},
            "license": {"const": "CC0-1.0"},
            "papers": {"type": "array", "items": paper},
        },
        "required": ["license", "papers"],
        "additionalProperties": False,
    }


def llms(catalog: Catalog, papers: Iterable[Paper]) -> str:
    """The catalog as one plain Markdown page, by leaf (llmstxt.org)."""
    chosen = {paper.id for paper in papers}
    lines = [
        "# Fine-Tuning Atlas",
        "",
        "> A literature knowledge base on fine-tuning in which the literature runs: papers by "
        "taxonomy, with tested reference implementations.",
    ]
    for leaf in catalog.leaves.values():
        found = [paper for paper in catalog.papers_in[leaf.id] if paper.id in chosen]
        if not found:
            continue
        lines += ["", f"## {leaf.name}", "", plain(leaf.description), ""]
        for paper in found:
            year = f", {paper.year}" if paper.year else ""
            title = plain(paper.title).replace("[", "(").replace("]", ")")
            lines.append(
                f"- [{title}]({paper.link}): {short_authors(paper)}{year}. {plain(paper.summary)}"
            )
    return "\n".join(lines) + "\n"


def _json(data: object) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Catalog, list[Paper], str, Methods], str]] = {
    "bibtex": lambda catalog, papers, topic, methods: bibtex(catalog, papers),
    "bibtex-latex": lambda catalog, papers, topic, methods: bibtex(catalog, papers, latex=True),
    "ris": lambda catalog, papers, topic, methods: "\n".join(
        ris(paper, catalog.venue[paper.venue]) for paper in papers
    ),
    "csl": lambda catalog, papers, topic, methods: csl_json(catalog, papers),
    "json": lambda catalog, papers, topic, methods: _json(dump(catalog, papers, methods)),
    "atom": lambda catalog, papers, topic, methods: feeds.atom(papers, topic=topic),
    "jsonfeed": lambda catalog, papers, topic, methods: _json(feeds.json_feed(papers, topic=topic)),
    "llms": lambda catalog, papers, topic, methods: llms(catalog, papers),
}


# Format -> how its files end.
ENDINGS = {
    "bibtex": ".bib",
    "bibtex-latex": ".latex.bib",
    "ris": ".ris",
    "csl": ".csl.json",
    "json": ".json",
    "atom": ".xml",
    "jsonfeed": ".feed.json",
}
CITATIONS = ("bibtex", "bibtex-latex", "ris", "csl")


def files(catalog: Catalog, methods: Methods) -> Iterator[tuple[str, str]]:
    """What the site offers: path and text of every export, whole, by leaf and by paper."""
    papers = list(catalog.papers)
    for style, ending in ENDINGS.items():
        yield f"export/papers{ending}", FORMATS[style](catalog, papers, "", methods)
        for leaf in catalog.leaves.values():
            found = list(catalog.papers_in[leaf.id])
            yield f"export/{leaf.id}{ending}", FORMATS[style](catalog, found, leaf.name, methods)
    for paper in papers:
        for style in CITATIONS:
            name = f"export/{paper.id}{ENDINGS[style]}"
            yield name, FORMATS[style](catalog, [paper], "", methods)
    yield "export/papers.export.schema.json", _json(dump_schema())
    yield "llms.txt", llms(catalog, papers)


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
        sys.stdout.write(_json(dump_schema()))
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
