"""`python -m tools add`: an entry for `papers.yaml` from an identifier or a citation file."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .. import rules
from ..data.files import ROOT, write
from ..data.findings import as_text
from ..data.loader import MAX_BYTES, parse
from ..data.schema import Catalog, Paper, Venue
from ..export import entry
from ..records.record import Record, SourceError, letters, same_title
from ..rules.catalog import examine, in_order, read

FILES = ("bibtex", "ris", "csl")
REGISTRIES = ("arxiv", "doi", "acl", "openreview")
LARGEST = 5_000_000  # bytes of a citation file
_SKIPPED = frozenset("a an the on of for to in and with how what why when is are do does".split())  # noqa: SIM905
_ASKED = ("summary", "leaf", "kind", "modality", "venue", "code")


class AddError(Exception):
    """An entry cannot be made or written; one line an obstacle."""


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


def venue_of(text: str, catalog: Catalog) -> Venue | None:
    """The venue that a source means: the longest id or name that its text contains.

    An id counts only as a word of its own.
    """
    words = {letters(word) for word in re.split(r"[\s:,()]+", text)}
    whole = letters(text)
    found = [
        (len(name), venue)
        for venue in catalog.venues
        for name in (letters(venue.name), letters(venue.id))
        if name and (name in words or (len(name) > 12 and name in whole))
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def new_id(record: Record, taken: Iterable[str]) -> str:
    """Family name, first year and the first word of the title that is not taken yet."""
    family = re.sub(r"[^a-z]", "", letters(record.authors[0].family)) if record.authors else "anon"
    year = record.first_year or record.year or "nd"
    words = [re.sub(r"[^a-z0-9]", "", letters(word)) for word in record.title.split()]
    words = [word for word in words if word and word not in _SKIPPED] or ["untitled"]
    taken = set(taken)
    for count in range(1, len(words) + 1):
        for word in (words[count - 1], "".join(words[:count])):
            if f"{family}{year}{word}" not in taken:
                return f"{family}{year}{word}"
    raise AddError(f"every id that '{record.title}' suggests is taken")


def known(record: Record, catalog: Catalog) -> Paper | None:
    """The entry of the same work, by any identifier or by title."""
    for paper in catalog.papers:
        keys = ("arxiv", "doi", "acl", "openreview")
        if any(
            getattr(record, key)
            and letters(getattr(record, key)) == letters(getattr(paper, key) or "")
            for key in keys
        ):
            return paper
        if any(same_title(record.title, title) for title in (paper.title, *paper.also_titled)):
            return paper
    return None


def as_entry(record: Record, catalog: Catalog, options: argparse.Namespace) -> dict[str, Any]:
    """The entry's data in the catalog's form, as far as record and options give it."""
    venue = options.venue or getattr(venue_of(record.venue, catalog), "id", None)
    found = {
        "id": new_id(record, (paper.id for paper in catalog.papers)),
        "title": record.title,
        "authors": [
            f"{name.family}, {name.given}" if name.given else {"literal": name.family}
            for name in record.authors
        ],
        "year": record.year,
        "venue": venue,
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


def obstacles(data: dict[str, Any], record: Record, catalog: Catalog) -> list[str]:
    """What keeps the data from being an entry, each with what to do."""
    found = []
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
        Paper.model_validate({**data, "venue": data.get("venue", "?")})
    except ValidationError as error:
        for fault in error.errors():
            key = str(fault["loc"][0]) if fault["loc"] else "entry"
            option = {"leaves": "leaf"}.get(key, key)
            hint = f"; give it with --{option}" if option in _ASKED else ""
            found.append(f"{key}: {fault['msg'].lower()}{hint}")
    return found


def spliced(raw: bytes, name: str, text: str, paper_id: str) -> bytes:
    """The catalog with one entry more, where its id belongs; every other byte as it was."""
    from .fmt import before_entry

    document = parse(raw, name)
    ids = [paper["id"] for paper in document.data["papers"]]
    later = next((i for i, other in enumerate(ids) if other > paper_id), None)
    lines = raw.splitlines(keepends=True)
    ending = "\r\n" if raw.count(b"\r\n") else "\n"
    if later is None:
        at = len(lines)
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += ending.encode()
    else:
        at = before_entry(raw.decode(), document.mark(("papers", later)).line - 1)
    return b"".join([*lines[:at], text.replace("\n", ending).encode(), *lines[at:]])


def replaced(raw: bytes, old: dict[str, Any], new: dict[str, Any]) -> bytes:
    """The catalog with an entry's canonical text exchanged. Raises AddError."""
    before = entry.text(old).encode()
    if raw.count(before) != 1:
        raise AddError(
            f"{old['id']}: is in the catalog as a preprint, but its entry has comments or is not "
            "in its canonical form: run `python -m tools fmt`, or change it by hand"
        )
    return raw.replace(before, entry.text(new).encode())


def promoted(old: dict[str, Any], record: Record, catalog: Catalog) -> dict[str, Any] | None:
    """A preprint's entry with what its publication adds; None if the record adds nothing."""
    venue = venue_of(record.venue, catalog)
    current = catalog.venue[old["venue"]]
    if current.kind != "preprint" or venue is None or venue.kind == "preprint":
        return None
    gained = {"year": record.year, "venue": venue.id}
    for key in ("doi", "acl", "openreview", "pages"):
        gained[key] = old.get(key) or getattr(record, key)
    if not same_title(record.title, old["title"]):
        gained |= {"title": record.title, "also_titled": [old["title"]]}
    return {**old, **{key: value for key, value in gained.items() if value}}


def checked(raw: bytes, path: Path) -> None:
    """Raises AddError where a catalog with that content would have findings."""
    document = parse(raw, path.name)
    context, findings = examine(document, path.resolve().parent)
    if context is not None:
        findings += rules.check(context, "S200", "S699")
    if findings:
        raise AddError(as_text(in_order(findings, path.name), "nothing was written").rstrip())


def from_files(kind: str, names: Iterable[str]) -> Iterator[Record]:
    """The records of citation files. Raises SourceError, OSError."""
    from ..records import bib, csl, ris

    reader = {"bibtex": bib.records, "ris": ris.records, "csl": csl.records}[kind]
    for name in names:
        with Path(name).open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise SourceError(f"{name}: is larger than {LARGEST:,} bytes")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"byte 0x{raw[error.start]:02x} at {error.start} is not UTF-8"
            raise SourceError(f"{name}: {message}") from None
        yield from reader(text, name)


def from_registries(kind: str, identifiers: Iterable[str], registries: Any) -> Iterator[Record]:
    """What registries say, of a preprint together with its publication. Raises SourceError."""
    for identifier in identifiers:
        blank = Record(source="", **{kind: identifier}).tidy()
        asked = next(key for key in REGISTRIES if getattr(blank, key))
        found = getattr(registries, asked)(getattr(blank, asked)).tidy()
        if asked == "arxiv" and found.doi:
            found = merged(found, registries.doi(found.doi))
        yield found


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", choices=[*REGISTRIES, *FILES], help="where the entry comes from")
    parser.add_argument("names", nargs="+", metavar="ID|FILE")
    parser.add_argument("--network", action="store_true", help="ask the registries")
    parser.add_argument("--write", action="store_true", help="put the entry into the catalog")
    parser.add_argument("--leaf", action="append", default=[], help="may be given several times")
    parser.add_argument("--kind", default="method", help="default: method")
    parser.add_argument("--modality", action="append", default=[], help="default: LLM")
    parser.add_argument("--venue", default="", help="id of the venue, where it is not recognized")
    parser.add_argument("--summary", default="", help="one sentence of your own")
    parser.add_argument("--code", default="", help="link to the authors' code")
    parser.add_argument("--catalog", type=Path, default=ROOT / "papers.yaml")


def main(options: argparse.Namespace, registries: Any = None) -> int:
    options.modality = options.modality or ["LLM"]
    try:
        if options.source in FILES:
            records: Iterable[Record] = from_files(options.source, options.names)
        elif not options.network and registries is None:
            raise AddError(f"'{options.source}' asks a registry; allow it with --network")
        else:
            from ..records.registries import Registries

            records = from_registries(options.source, options.names, registries or Registries())
        return sum(_add(record, options) for record in list(records)) and 1
    except (AddError, SourceError) as error:
        print(error, file=sys.stderr)
        return 1


def _add(record: Record, options: argparse.Namespace) -> int:
    """Print or write one entry; returns 0, or 1 where something is in the way."""
    path: Path = options.catalog
    catalog = read(path)
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES)
    existing = known(record, catalog)
    if existing is not None:
        old = next(p for p in parse(raw, path.name).data["papers"] if p["id"] == existing.id)
        data = promoted(old, record, catalog)
        if data is None:
            raise AddError(f"'{record.title}' is in the catalog already: {existing.id}")
        result = replaced(raw, old, data)
    else:
        data = as_entry(record, catalog, options)
        hindrances = obstacles(data, record, catalog)
        if hindrances:
            sys.stdout.write(entry.text(data))
            print("\n".join(f"{data['id']}: {said}" for said in hindrances), file=sys.stderr)
            return 1
        result = spliced(raw, path.name, entry.text(data), data["id"])
    checked(result, path)
    if options.write:
        write(path, result.decode())
        verb = "updated" if existing else "added"
        print(f"{data['id']} {verb} in {path.name}; now run `python -m tools build`")
    else:
        sys.stdout.write(entry.text(data))
    return 0
