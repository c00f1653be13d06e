"""CSL-JSON, in files and as the registries of DOIs answer."""

from __future__ import annotations

import json
from typing import Any

from ..data.schema import Name
from .record import Record, SourceError


def records(text: str, name: str = "CSL-JSON") -> list[Record]:
    """Every item of a list, or the one item that the text holds.

    Raises SourceError where that is not CSL-JSON; it calls the text `name`.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name}: is not JSON: {' '.join(str(error).split())}") from None
    items = data if isinstance(data, list) else [data]
    if not items:
        raise SourceError(f"{name}: holds no item")
    return [record(item, f"{name}, item {place}") for place, item in enumerate(items, 1)]


def record(item: Any, name: str, source: str = "csl") -> Record:
    """One item. Raises SourceError where it is none."""
    if not isinstance(item, dict) or not isinstance(_first(item.get("title")), str):
        raise SourceError(f"{name}: has no title")
    people = item.get("author") or []
    if not isinstance(people, list):
        raise SourceError(f"{name}: author is no list")
    dates = [_year(item.get(key)) for key in ("issued", "published-print", "published-online")]
    preprint = str(item.get("archive", "")).lower() == "arxiv"
    return Record(
        source=source,
        title=_text(item["title"]),
        authors=tuple(_name(person, name) for person in people),
        year=next(filter(None, dates), None),
        venue=_text(item.get("container-title")) or _text(item.get("publisher")),
        arxiv=_text(item.get("archive_location")) if preprint else "",
        doi=_text(item.get("DOI")),
        url=_text(item.get("URL")),
        pages=_text(item.get("page")),
    ).tidy()


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _text(value: Any) -> str:
    value = _first(value)
    return " ".join(value.split()) if isinstance(value, str) else ""


def _name(person: Any, name: str) -> Name:
    if not isinstance(person, dict):
        raise SourceError(f"{name}: an author is no object")
    family, given = _text(person.get("family")), _text(person.get("given"))
    whole = _text(person.get("literal")) or _text(person.get("name"))
    particle = _text(person.get("non-dropping-particle")) or _text(person.get("dropping-particle"))
    found = Name(" ".join(filter(None, (particle, family, _text(person.get("suffix"))))), given)
    if not found.family:
        found = Name(whole or given)
    if not found.family:
        raise SourceError(f"{name}: an author has no name")
    return found


def _year(date: Any) -> int | None:
    parts = date.get("date-parts") if isinstance(date, dict) else None
    year = _first(_first(parts))
    try:
        return int(year)
    except (TypeError, ValueError):
        return None
