"""RIS files."""

from __future__ import annotations

import re

import rispy

from ..data.schema import Name
from .record import Record, SourceError


def records(text: str, name: str = "RIS") -> list[Record]:
    """Every record of a file that errors call `name`. Raises SourceError where there is none."""
    try:
        entries = rispy.loads(text.removeprefix("\ufeff"))
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise SourceError(f"{name}: is not RIS: {' '.join(str(error).split())}") from None
    started = len(re.findall(r"(?m)^\s*TY\s{2}-", text))
    if not entries or len(entries) != started:
        raise SourceError(f"{name}: {started} records begin, {len(entries)} can be read")
    return [_record(entry, f"{name}, record {place}") for place, entry in enumerate(entries, 1)]


def _record(entry: dict, name: str) -> Record:
    def text(*keys: str) -> str:
        found = (entry.get(key) for key in keys)
        values = (value[0] if isinstance(value, list) and value else value for value in found)
        return next((value.strip() for value in values if isinstance(value, str) and value), "")

    title = text("title", "primary_title", "short_title")
    if not title:
        raise SourceError(f"{name}: has no title")
    year = re.search(r"\d{4}", text("year", "publication_year", "date"))
    arxiv = re.match(r"arxiv:(\S+)", text("accession_number"), re.IGNORECASE)
    pages = "-".join(filter(None, (text("start_page"), text("end_page"))))
    people = entry.get("authors") or entry.get("first_authors") or []
    return Record(
        source="ris",
        title=title,
        authors=tuple(_name(person) for person in people if person.strip(" ,")),
        year=int(year[0]) if year else None,
        venue=text(
            "secondary_title", "journal_name", "alternate_title1", "alternate_title3", "publisher"
        ),
        arxiv=arxiv[1] if arxiv else "",
        doi=text("doi"),
        url=text("urls", "url"),
        pages=pages,
    ).tidy()


def _name(person: str) -> Name:
    family, _, given = person.partition(",")
    return Name(" ".join(family.split()), " ".join(given.replace(",", " ").split()))
