"""From a record to an entry of the catalog: its data, what is in the way, what a record adds."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from pydantic import ValidationError

from ..data.papers import arxiv_year
from ..data.schema import Catalog, Name, Paper
from ..records.identifiers import KINDS
from ..records.names import SUFFIX
from ..records.record import Record, letters, same_person, same_title
from ..records.venues import venue_of
from ..rules.consistency import ascii_fold
from ..rules.schema import faults

_SKIPPED = frozenset("a an the on of for to in and with how what why when is are do does".split())  # noqa: SIM905
_ASKED = ("id", "title", "summary", "leaf", "kind", "modality", "venue", "code")


def merged(preprint: Record, published: Record) -> Record:
    """One record of a work that appeared twice: published where it says something."""
    return replace(
        published,
        title=published.title or preprint.title,
        authors=published.authors or preprint.authors,
        year=published.year or preprint.year,
        first_year=preprint.first_year or preprint.year,
        venue=published.venue or preprint.venue,
        arxiv=preprint.arxiv or published.arxiv,
        doi=published.doi or preprint.doi,
        openreview=published.openreview or preprint.openreview,
    )


def new_id(record: Record, taken: Iterable[str]) -> str:
    """Family name, first year and the first word of the title that is not taken yet.

    Empty where the family name has no letter from a to z, or every word is taken.
    """
    first = record.authors[0].family if record.authors else "anon"
    family = ascii_fold(" ".join(word for word in first.split() if not SUFFIX.fullmatch(word)))
    years = (record.first_year, arxiv_year(record.arxiv), record.year)
    year = min(filter(None, years)) if any(years) else "nd"
    words = [re.sub(r"[^a-z0-9]", "", letters(word)) for word in record.title.split()]
    words = [word for word in words if word and word not in _SKIPPED] or ["untitled"]
    taken = set(taken)
    for count in range(1, len(words) + 1):
        for word in (words[count - 1], "".join(words[:count])):
            if family and f"{family}{year}{word}" not in taken:
                return f"{family}{year}{word}"
    return ""


class Index:
    """The catalog's works by identifier and by title."""

    def __init__(self, papers: Iterable[Paper]) -> None:
        self._found: dict[tuple[str, str], Paper] = {}
        self.ids: set[str] = set()
        for paper in papers:
            self.add(paper)

    def add(self, paper: Paper) -> None:
        self.ids.add(paper.id)
        for key in KINDS:
            if value := getattr(paper, key):
                self._found.setdefault((key, letters(value)), paper)
        for title in (paper.title, *paper.also_titled):
            self._found.setdefault(("title", letters(title)), paper)

    def known(self, record: Record) -> Paper | None:
        """The entry of the same work, by any identifier or by title."""
        keys = [(key, letters(getattr(record, key))) for key in (*KINDS, "title")]
        return next((self._found[key] for key in keys if key[1] and key in self._found), None)


def as_entry(
    record: Record, catalog: Catalog, taken: Iterable[str], options: argparse.Namespace
) -> dict[str, Any]:
    """The entry's data in the catalog's form, as far as record and options give it."""
    found = {
        "id": options.id or new_id(record, taken),
        "title": record.title,
        "authors": listed(record.authors),
        "year": record.year,
        "venue": options.venue or getattr(venue_of(record.venue, catalog.venues), "id", None),
        "kind": options.kind,
        "leaves": options.leaf,
        "modality": options.modality,
        "arxiv": record.arxiv,
        "doi": record.doi,
        "acl": record.acl,
        "openreview": record.openreview,
        "url": "" if record.arxiv or record.doi or record.acl else record.url,
        "code": options.code,
        "pages": record.pages,
        "summary": options.summary,
        "added": date.today().isoformat(),
    }
    return {key: value for key, value in found.items() if value}


def listed(authors: Iterable[Name]) -> list[Any]:
    """Authors as the catalog writes them."""
    return [
        f"{name.family}, {name.given}" if name.given else {"literal": name.family}
        for name in authors
    ]


def obstacles(
    data: dict[str, Any], record: Record, catalog: Catalog, taken: Iterable[str]
) -> list[str]:
    """What keeps the data from being an entry, each with what to do."""
    found = []
    if "id" not in data:
        found.append("id: none can be made of the first author's letters; give one with --id")
    elif data["id"] in taken:
        found.append(f"id: '{data['id']}' is taken; give another with --id")
    if record.truncated:
        found.append("authors: the source ends with 'and others'; name them all")
    if "venue" not in data:
        unknown = f"'{record.venue}' is none of the catalog's"
        found.append(
            f"venue: {unknown if record.venue else 'the source has none'}; choose one with --venue"
        )
    elif data["venue"] not in catalog.venue:
        found.append(f"venue: '{data['venue']}' is none of the catalog's")
    found += [
        f"leaves: '{leaf}' is no leaf of the taxonomy"
        for leaf in data.get("leaves", ())
        if leaf not in catalog.leaves
    ]
    try:
        Paper.model_validate({"id": "a1999a", **data, "venue": data.get("venue", "?")})
    except ValidationError as error:
        for _, fault in faults(error):
            key = str(fault.where[0]) if fault.where else "entry"
            option = {"leaves": "leaf"}.get(key, key)
            hint = f"; give it with --{option}" if option in _ASKED else ""
            found.append(f"{key}: {fault.message}{hint}")
    return found


def gained(old: dict[str, Any], record: Record, catalog: Catalog) -> dict[str, Any] | None:
    """An entry with what the record of the same work adds; None if it adds nothing.

    A preprint's publication brings year, venue and title with it, and its authors where they are
    others. Any record brings the arXiv id, one of the same venue the other identifiers, too.
    """
    venue, ours = venue_of(record.venue, catalog.venues), _names(old["authors"])
    together = any(same_person(one, other) for one in ours for other in record.authors)
    if not together and not any(
        old.get(key) == getattr(record, key) for key in KINDS if key in old
    ):
        return None  # another work of the same title
    new: dict[str, Any] = {}
    is_preprint = catalog.venue[old["venue"]].kind == "preprint"
    published = is_preprint and venue is not None and venue.kind != "preprint"
    if published:
        new = {"year": record.year, "venue": venue.id, "pages": old.get("pages") or record.pages}
        alike = len(ours) == len(record.authors) and all(map(same_person, ours, record.authors))
        if record.authors and not record.truncated and not alike:
            new["authors"] = listed(record.authors)
    same_venue = venue is not None and venue.id == old["venue"]
    new |= {
        key: getattr(record, key)
        for key in (KINDS if published or same_venue else ("arxiv",))
        if not old.get(key)
    }
    if not any(new.values()):
        return None
    titles = (old["title"], *old.get("also_titled", ()))
    if not any(same_title(record.title, title) for title in titles):
        if published:
            new |= {"title": record.title, "also_titled": [*titles[1:], old["title"]]}
        else:
            new["also_titled"] = [*titles[1:], record.title]
    return {**old, **{key: value for key, value in new.items() if value}}


def _names(authors: Iterable[Any]) -> list[Name]:
    """Authors as `listed` writes them, split again."""
    return [
        Name(author["literal"])
        if isinstance(author, dict)
        else Name(*(part.strip() for part in author.split(",", 1)))
        for author in authors
    ]
