"""RIS files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import rispy

from .names import person
from .record import Record, SourceError, all_of

_START = re.compile(r"^[ \t]*TY {1,2}-", re.MULTILINE)
_END = re.compile(r"^[ \t]*ER {1,2}-", re.MULTILINE)
_TAG = re.compile(r"^[ \t]*([A-Z][A-Z0-9])  ?- ?", re.MULTILINE)  # some write one blank, or indent


def records(text: str, name: str = "RIS") -> list[Record]:
    """Every record of a file that errors call `name`. Raises SourceError for the first bad one."""
    return all_of(read(text, name))


def read(
    text: str, name: str = "RIS", given: Collection[str] = ()
) -> Iterator[Record | SourceError]:
    """Every record of a file, or what keeps it from being read, one after another.

    given: of "title" and "venue" what is known already and need not be read.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    starts = [match.start() for match in _START.finditer(text)]
    if not starts:
        yield SourceError(f"{name}: holds no RIS record: none begins with 'TY  - '")
        return
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        place = f"{name}:{text.count(chr(10), 0, start) + 1}"
        try:
            yield _record(_entry(text[start:end], place), place, given)
        except SourceError as error:
            yield error


def _entry(text: str, place: str) -> dict:
    if not _END.search(text):
        raise SourceError(f"{place}: the record has no end; write 'ER  - ' behind it")
    try:
        (entry,) = rispy.loads(_TAG.sub(r"\1  - ", text))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise SourceError(f"{place}: the record is not RIS: a line is 'TAG  - value'") from None
    return entry


def _record(entry: dict, place: str, given: Collection[str]) -> Record:
    def text(*keys: str) -> str:
        found = (entry.get(key) for key in keys)
        values = (value[0] if isinstance(value, list) and value else value for value in found)
        return next((value.strip() for value in values if isinstance(value, str) and value), "")

    title = text("title", "primary_title", "short_title")
    if not title and "title" not in given:
        raise SourceError(f"{place}: has no title; write 'TI  - ', or give --title")
    year = re.search(r"(?<!\d)(?:1\d|20)\d\d(?!\d)", text("year", "publication_year", "date"))
    arxiv = re.match(r"arxiv:(\S+)", text("accession_number"), re.IGNORECASE)
    people = entry.get("authors") or entry.get("first_authors") or []
    try:
        authors = tuple(person(name) for name in people if name.strip(" ,"))
    except SourceError as error:
        raise SourceError(f"{place}: AU: {error}") from None
    return Record(
        source="ris",
        title=title,
        authors=authors,
        year=int(year[0]) if year else None,
        venue=text(
            "secondary_title", "journal_name", "alternate_title1", "alternate_title3", "publisher"
        ),
        arxiv=arxiv[1] if arxiv else "",
        doi=text("doi"),
        url=text("urls", "url"),
        pages="-".join(filter(None, (text("start_page"), text("end_page")))),
        place=place,
    ).tidy()
