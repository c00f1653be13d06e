"""CSL-JSON, in files and as the registries of DOIs answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from ..data.schema import Name
from .names import group, person
from .plain import plain
from .record import Record, SourceError, all_of


def records(text: str, name: str = "CSL-JSON") -> list[Record]:
    """Every item of a list, or the one item that the text holds; errors call the text `name`.

    Raises SourceError for the first bad one.
    """
    return all_of(read(text, name))


def read(
    text: str, name: str = "CSL-JSON", given: Collection[str] = ()
) -> Iterator[Record | SourceError]:
    """Every item, or what keeps it from being read, one after another.

    given: of "title" and "venue" what is known already and need not be read.
    """
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        yield SourceError(f"{name}:{error.lineno}: is not JSON from here on")
        return
    except (ValueError, RecursionError):
        yield SourceError(f"{name}: is not JSON that can be read")
        return
    items = data if isinstance(data, list) else [data]
    if not items:
        yield SourceError(f"{name}: holds no item")
    for place, item in enumerate(items, 1):
        try:
            yield record(item, f"{name}, item {place}", given=given)
        except SourceError as error:
            yield error


def record(item: Any, name: str, source: str = "csl", given: Collection[str] = ()) -> Record:
    """One item. Raises SourceError where it is none."""
    if not isinstance(item, dict):
        raise SourceError(f"{name}: is no object")
    title = _title(item)
    if not title and "title" not in given:
        raise SourceError(f"{name}: has no title; write one, or give --title")
    people = item.get("author") or []
    if not isinstance(people, list):
        raise SourceError(f"{name}: author is no list")
    dates = [_year(item.get(key)) for key in ("issued", "published-print", "published-online")]
    preprint = str(item.get("archive", "")).lower() == "arxiv"
    return Record(
        source=source,
        title=title,
        authors=tuple(_name(person, name) for person in people),
        year=next(filter(None, dates), None),
        venue=_text(item.get("container-title")) or _text(item.get("publisher")),
        arxiv=_text(item.get("archive_location")) if preprint else "",
        doi=_text(item.get("DOI")),
        url=_text(item.get("URL")),
        pages=_text(item.get("page")),
        place=name,
    ).tidy()


def _title(item: dict) -> str:
    title, subtitle = plain(_text(item.get("title"))), plain(_text(item.get("subtitle")))
    if not title or not subtitle or subtitle.lower() in title.lower():
        return title
    return f"{title} {subtitle}" if title[-1] in ":?!.—–" else f"{title}: {subtitle}"


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _text(value: Any) -> str:
    value = _first(value)
    return " ".join(value.split()) if isinstance(value, str) else ""


def _name(value: Any, name: str) -> Name:
    if not isinstance(value, dict):
        raise SourceError(f"{name}: an author is no object")
    family, given = plain(_text(value.get("family"))), plain(_text(value.get("given")))
    whole = _text(value.get("literal")) or _text(value.get("name"))
    particles = (_text(value.get(f"{kind}-particle")) for kind in ("dropping", "non-dropping"))
    parts = [*particles, family, _text(value.get("suffix"))]
    if not family and not whole and not given:
        raise SourceError(f"{name}: an author has no name")
    try:
        if not family or not given:
            return group(plain(" ".join(filter(None, parts))) or whole or given)
        return person(f"{' '.join(filter(None, parts))}, {given}")
    except SourceError as error:
        raise SourceError(f"{name}: author: {error}") from None


def _year(date: Any) -> int | None:
    parts = date.get("date-parts") if isinstance(date, dict) else None
    year = _first(_first(parts))
    try:
        return int(year)
    except (TypeError, ValueError):
        return None
