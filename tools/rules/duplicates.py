"""S3xx: the same thing is in the catalog once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from typing import Any

from ..text.slugs import without_accents
from . import Context, Fault, Place, rule


@rule(
    "S301",
    "Duplicate id",
    "Ids name one paper, node, venue or modality each. The whole tree of the taxonomy shares one "
    "set of ids.",
    bad="- id: LLM",
    good="- id: VFM",
)
def duplicate_id(context: Context) -> Iterator[Fault]:
    for items in (context.modalities, context.nodes, context.venues, context.papers):
        yield from _repeats(context, items, lambda item: item.id, "id", "id")


@rule(
    "S302",
    "Duplicate DOI",
    "Two entries with one DOI are the same paper. DOIs are compared without regard to case.",
    bad='doi: "10.1109/5.771073"',
    good='doi: "10.5281/zenodo.1"',
)
def duplicate_doi(context: Context) -> Iterator[Fault]:
    yield from _repeats(context, context.papers, lambda p: p.doi and p.doi.casefold(), "doi", "DOI")


@rule(
    "S303",
    "Duplicate arXiv identifier",
    "Two entries with one arXiv identifier are the same paper.",
    bad='arxiv: "2110.07577"',
    good='arxiv: "2106.09685"',
)
def duplicate_arxiv(context: Context) -> Iterator[Fault]:
    name = "arXiv identifier"
    yield from _repeats(context, context.papers, lambda p: p.arxiv, "arxiv", name)


@rule(
    "S304",
    "Duplicate ACL Anthology identifier",
    "Two entries with one ACL Anthology identifier are the same paper.",
    bad='acl: "2022.acl-long.433"',
    good='acl: "2022.acl-long.1"',
)
def duplicate_acl(context: Context) -> Iterator[Fault]:
    yield from _repeats(context, context.papers, lambda p: p.acl, "acl", "ACL identifier")


@rule(
    "S305",
    "Duplicate OpenReview identifier",
    "Two entries with one OpenReview forum are the same paper.",
    bad="openreview: nZeVKeeFYf9",
    good="openreview: kBjlDJpGGwF",
)
def duplicate_openreview(context: Context) -> Iterator[Fault]:
    name = "OpenReview identifier"
    yield from _repeats(context, context.papers, lambda p: p.openreview, "openreview", name)


def _repeats(
    context: Context,
    items: list[tuple[Place, Any]],
    key: Callable[[Any], str | None],
    field: str,
    name: str,
) -> Iterator[Fault]:
    first: dict[str, tuple[Place, str]] = {}
    for path, item in items:
        value = key(item)
        if not value:
            continue
        if value in first:
            where = context.document.told((*first[value][0], field), path)
            owner = "" if field == "id" else f" of {first[value][1]}"
            message = f"'{value}' is already the {name}{owner} {where}"
            yield Fault((*path, field), message)
        else:
            first[value] = (path, item.id)


@rule(
    "S306",
    "Near-equal titles",
    "Two titles that differ at most in case, accents, punctuation, spacing or the spelling of one "
    "word are nearly always the same paper entered twice, for instance as preprint and as "
    "published. Other titles of one paper go into `also_titled`.",
    bad='title: "UniPELT - a unified framework for parameter-efficient language model tunning"',
    good='title: "LoRA: Low-Rank Adaptation of Large Language Models"',
)
def near_equal_titles(context: Context) -> Iterator[Fault]:
    """One pass over signatures: the words of a title, whole and with each word left out once."""
    whole: dict[str, tuple[str, Place]] = {}
    without: dict[tuple[int, str], list[tuple[str, str, Place]]] = {}
    for path, paper in context.papers:
        twin: tuple[str, Place] | None = None
        for title in (paper.title, *paper.also_titled):
            words = _words(title)
            joined = "".join(words)
            found = whole.setdefault(joined, (paper.id, path))
            if found[0] != paper.id:
                twin = found
            for i, word in enumerate(words):
                if len(word) < 5 or not word.isalpha():
                    continue
                bucket = without.setdefault((i, "".join(words[:i] + words[i + 1 :])), [])
                for other, owner, at in bucket:
                    if owner != paper.id and twin is None and _is_slip(word, other):
                        twin = (owner, at)
                bucket.append((word, paper.id, path))
        if twin:
            where = context.document.told((*twin[1], "title"), path)
            message = f"is nearly the title of {twin[0]} {where}"
            yield Fault((*path, "title"), message)


def _words(title: str) -> list[str]:
    return re.findall(r"[^\W_]+", without_accents(title.casefold()))


def _is_slip(a: str, b: str) -> bool:
    return abs(len(a) - len(b)) <= 2 and SequenceMatcher(None, a, b).ratio() >= 0.88


@rule(
    "S307",
    "Duplicate page",
    "Two entries with one canonical page are the same work.",
    bad="url: https://example.org/unipelt",
    good="url: https://example.org/lora",
)
def duplicate_url(context: Context) -> Iterator[Fault]:
    yield from _repeats(
        context, context.papers, lambda p: p.url and p.url.rstrip("/").casefold(), "url", "page"
    )
