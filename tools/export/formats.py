"""The formats in which papers are given to other programs, and the files that the site offers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from ..data.implementations import Implementation
from ..data.json_schema import json_schema
from ..data.papers import short_authors
from ..data.schema import Catalog, Paper, Venue
from ..text.escape import plain
from . import feeds
from .bibtex import entry
from .citations import csl, ris
from .lines import json_line, json_lines

Methods = Mapping[str, Implementation]


def bibtex(catalog: Catalog, papers: Iterable[Paper], *, latex: bool = False) -> str:
    """Entries in Unicode; with `latex`, in ASCII."""
    return "\n".join(entry(p, catalog.venue[p.venue], latex=latex) for p in papers)


def csl_json(catalog: Catalog, papers: Iterable[Paper]) -> str:
    """A list of items."""
    return json_lines(_csl_item(paper, catalog.venue[paper.venue]) for paper in papers)


@cache
def _csl_item(paper: Paper, venue: Venue) -> str:
    return json_line(csl(paper, venue))


def dump(catalog: Catalog, papers: Iterable[Paper], methods: Methods) -> str:
    """Everything that the catalog and the methods say of the papers (see `dump_schema`)."""
    names: dict[str, list[str]] = {}
    for name in sorted(methods):
        names.setdefault(methods[name].paper, []).append(name)
    items = (_item(p, catalog.venue[p.venue], tuple(names.get(p.id, ()))) for p in papers)
    head = {"$schema": "papers.export.schema.json", "license": "CC0-1.0"}
    return json_lines(items, "papers", head)


@cache
def _item(paper: Paper, venue: Venue, implementations: tuple[str, ...]) -> str:
    return json_line(
        {
            **paper.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
            "authors": [
                {"family": n.family, "given": n.given} if n.given else {"literal": n.family}
                for n in paper.names
            ],
            "venue": {"id": paper.venue, "name": venue.name},
            "link": paper.link,
            **({"implementations": implementations} if implementations else {}),
        }
    )


def dump_schema() -> dict[str, Any]:
    """The JSON Schema (draft-07) of `dump`: the catalog's, with names and venues spelled out, and
    with the names of implementations."""
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


def as_json(data: object) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Catalog, list[Paper], str, Methods], str]] = {
    "bibtex": lambda catalog, papers, topic, methods: bibtex(catalog, papers),
    "bibtex-latex": lambda catalog, papers, topic, methods: bibtex(catalog, papers, latex=True),
    "ris": lambda catalog, papers, topic, methods: "\n".join(
        ris(paper, catalog.venue[paper.venue]) for paper in papers
    ),
    "csl": lambda catalog, papers, topic, methods: csl_json(catalog, papers),
    "json": lambda catalog, papers, topic, methods: dump(catalog, papers, methods),
    "atom": lambda catalog, papers, topic, methods: feeds.atom(papers, topic=topic),
    "jsonfeed": lambda catalog, papers, topic, methods: feeds.json_feed(papers, topic=topic),
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
CITATIONS = ("bibtex", "ris", "csl")


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
            text = FORMATS[style](catalog, [paper], "", methods)
            yield f"export/{paper.id}{ENDINGS[style]}", text
            if style == "bibtex" and not text.isascii():  # in ASCII it is the same else
                ending = ENDINGS["bibtex-latex"]
                yield f"export/{paper.id}{ending}", bibtex(catalog, [paper], latex=True)
    yield "export/papers.export.schema.json", as_json(dump_schema())
    yield "llms.txt", llms(catalog, papers)
