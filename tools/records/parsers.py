"""What a raw record prints, for each kind of record that is kept: one small parser a kind.

A field that the record does not print is empty. Nothing is filled in from elsewhere.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import yaml

from ..data.schema import Name
from .record import Record, SourceError

_ANTHOLOGY = re.compile(r"(\d{4})\.([a-z0-9]+)-([a-z0-9]+)\.\d+")


@dataclass(frozen=True)
class Printed(Record):
    """What one raw record prints.

    code: the authors' code. splits: it says itself what of a name is the family's.
    """

    code: str = field(default="", kw_only=True)
    splits: bool = field(default=False, kw_only=True)


def parse(raw: str, kind: str, name: str) -> Printed:
    """The record, which errors call `name`. Raises SourceError where it cannot be read."""
    return PARSERS[kind](raw, name).tidy()


def _acl_xml(raw: str, name: str) -> Printed:
    """A `<paper>` of the ACL Anthology's data.

    It prints neither year nor venue, but an identifier that begins with both since 2020; those of
    before ("N19-1423") print no more than a letter and two digits, which is left alone. Files of
    2025 leave it out, and its DOI ends with it.
    """
    try:
        paper = ET.fromstring(raw)  # noqa: S314 - expat limits what entities may expand to
    except ET.ParseError as error:
        raise SourceError(f"{name}: is not XML: {error}") from None

    def text(element: ET.Element | None) -> str:
        return " ".join("".join(element.itertext()).split()) if element is not None else ""

    doi, code = text(paper.find("doi")), paper.find("pwccode")
    acl = text(paper.find("url")) or doi.partition("10.18653/v1/")[2]
    year, venue, volume = match.groups() if (match := _ANTHOLOGY.fullmatch(acl)) else ("", "", "")
    return Printed(
        source=name,
        title=text(paper.find("title")),
        authors=tuple(
            Name(text(a.find("last")), text(a.find("first"))) for a in paper.iter("author")
        ),
        year=int(year) if year else None,
        venue=f"Findings of {volume}" if venue == "findings" else venue,
        acl=acl,
        doi=doi,
        pages=text(paper.find("pages")),
        code=code.get("url", "") if code is not None else "",
        splits=True,
    )


def _bibtex(raw: str, name: str) -> Printed:
    from . import bib  # loads LaTeX decoders, which most records need not

    found = bib.records(raw, name)
    if len(found) != 1:
        raise SourceError(f"{name}: holds {len(found)} BibTeX entries, not one")
    return Printed(**{**vars(found[0]), "source": name})


def _bibtex_lines(raw: str, name: str) -> Printed:
    """BibTeX as a JSON list of its lines."""
    lines = _json(raw, name)
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise SourceError(f"{name}: is no list of lines")
    return _bibtex("".join(lines), name)


def _pmlr(raw: str, name: str) -> Printed:
    """The front matter of a paper's page in the Proceedings of Machine Learning Research."""
    try:
        item = yaml.safe_load(raw.strip().removeprefix("---").removesuffix("---"))
        date = item["issued"]["date-parts"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise SourceError(f"{name}: is no front matter: {' '.join(str(error).split())}") from None
    named = {"URL": item.get("url"), "issued": {"date-parts": [date]}}
    code = [e.get("link", "") for e in item.get("extras") or [] if e.get("label") == "Code"]
    found = _csl_item({**item, **named}, name)
    return Printed(
        **{**vars(found), "openreview": item.get("openreview", ""), "code": (code or [""])[0]}
    )


def _csl(raw: str, name: str) -> Printed:
    return _csl_item(_json(raw, name), name)


def _csl_item(item: Any, name: str) -> Printed:
    from . import csl

    return Printed(**{**vars(csl.record(item, name)), "source": name, "splits": True})


def _atom(raw: str, name: str) -> Printed:
    from . import atom

    return Printed(**{**vars(atom.record(raw.encode(), name)), "source": name})


def _mlanthology(raw: str, name: str) -> Printed:
    """A paper in the data of ML Anthology, which collects proceedings: split names, all fields."""
    item = _object(raw, name)
    try:
        authors = tuple(Name(*map(_composed, (a["family"], a["given"]))) for a in item["authors"])
        return Printed(
            source=name,
            title=item["title"],
            authors=authors,
            year=int(item["year"]),
            venue=_SERIES.get(item["venue"], item["venue"]),
            pages=item.get("pages") or "",
            doi=item.get("doi") or "",
            openreview=item.get("openreview_url") or "",
            url=item.get("venue_url") or "",
            code=_code(item.get("code_url") or ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{name}: is no paper of ML Anthology: {error}") from None


def _code(address: str) -> str:
    """Papers with Code has listed code, and is closed: an address there leads to none."""
    return "" if re.match(r"https?://(?:www\.)?paperswithcode\.com/", address) else address


# Workshops beside a conference, as the data of ML Anthology calls them
_SERIES = {
    f"{series}w": f"{series.upper()} Workshops"
    for series in ("iclr", "icml", "cvpr", "iccv", "eccv")
}


def _paperlists(raw: str, name: str) -> Printed:
    """A paper in papercopilot's lists of conferences, which print a name as one text.

    Conferences on OpenReview have its identifier for theirs; neither year nor venue is printed.
    """
    item = _object(raw, name)
    people = str(item.get("author") or "")
    names = [whole.strip() for whole in people.split(";" if ";" in people else ",")]
    site = str(item.get("site") or "")
    return Printed(
        source=name,
        title=str(item.get("title") or ""),
        authors=tuple(_split(whole) for whole in names if whole),
        doi=str(item.get("doi") or ""),
        openreview=site if "openreview.net" in site else "",
        url=site,
    )


def _arxiv_json(raw: str, name: str) -> Printed:
    """An answer of arXiv's API as a JSON object of its main fields, a line for each paper."""
    item = _object(raw, name)
    if not isinstance(item.get("authors"), list):
        raise SourceError(f"{name}: has no list of authors")
    return Printed(
        source=name,
        title=" ".join(str(item.get("title") or "").split()),
        # a group that stands before its members is followed by a colon of its own
        authors=tuple(_split(str(whole)) for whole in item["authors"] if whole != ":"),
        venue="arXiv",
        arxiv=str(item.get("id") or ""),
    )


def _composed(text: str) -> str:
    """With letters in one piece: what LaTeX writes as an accent upon an i without a dot as well."""
    return unicodedata.normalize("NFC", re.sub("ı(?=[\u0300-\u036f])", "i", text))


def _split(whole: str) -> Name:
    """A name that is printed as one text, its last word for the family's."""
    given, _, family = whole.strip().rpartition(" ")
    return Name(family, given)


def _object(raw: str, name: str) -> dict[str, Any]:
    item = _json(raw, name)
    if not isinstance(item, dict):
        raise SourceError(f"{name}: is no JSON object")
    return item


def _json(raw: str, name: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name}: is not JSON: {' '.join(str(error).split())}") from None


PARSERS: dict[str, Callable[[str, str], Printed]] = {
    "acl-xml": _acl_xml,
    "arxiv-json": _arxiv_json,
    "atom": _atom,
    "bibtex": _bibtex,
    "bibtex-lines": _bibtex_lines,
    "csl": _csl,
    "mlanthology": _mlanthology,
    "paperlists": _paperlists,
    "pmlr": _pmlr,
}
