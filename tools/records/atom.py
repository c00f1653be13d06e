"""What arXiv answers: an Atom feed."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from .names import split_name
from .record import Record, SourceError

_SPACES = {"a": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom"}


def record(body: str | bytes, name: str) -> Record:
    """The one work of an answer that errors call `name`. Raises SourceError where there is none."""
    try:
        feed = ET.fromstring(body)  # noqa: S314 - expat limits what entities may expand to
    except ET.ParseError as error:
        raise SourceError(f"{name}: the answer is not Atom: {error}") from None
    entry = feed.find("a:entry", _SPACES)
    if entry is None:
        raise SourceError(f"{name}: arXiv knows no such work")

    def text(path: str) -> str:
        return " ".join((entry.findtext(path, "", _SPACES)).split())

    title, identifier = text("a:title"), text("a:id")
    if not title or "/abs/" not in identifier:
        raise SourceError(f"{name}: {text('a:summary') or 'arXiv knows no such work'}")
    people = [" ".join((p.text or "").split()) for p in entry.findall("a:author/a:name", _SPACES)]
    year = text("a:published")[:4]
    return Record(
        source="arxiv",
        title=title,
        authors=tuple(split_name(person) for person in people if person),
        year=int(year) if year.isdigit() else None,
        first_year=int(year) if year.isdigit() else None,
        venue="arXiv",
        arxiv=identifier.split("/abs/")[1],
        doi=text("arxiv:doi"),
    ).tidy()
