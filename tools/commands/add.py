"""`python -m tools add`: entries for `papers.yaml` from identifiers or citation files."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import rules
from ..data.files import ROOT, write
from ..data.findings import Finding, as_text
from ..data.parts import PART_LINE, alone, file_of, joined
from ..data.parts import read as read_files
from ..data.schema import ACL, ARXIV, DOI, OPENREVIEW, PATTERNS, Paper
from ..export import entry
from ..records.identifiers import KINDS
from ..records.record import Record, SourceError
from ..rules.catalog import examine, in_order, read
from .entries import Index, as_entry, gained, merged, obstacles

FILES = ("bibtex", "ris", "csl")
REGISTRIES = KINDS
LARGEST = 5_000_000  # bytes of a citation file


class AddError(Exception):
    """An entry cannot be made or written; one line an obstacle."""


@dataclass
class Draft:
    """An entry that is to be: its data, where they come from, and what they replace."""

    data: dict[str, Any]
    place: str
    old: dict[str, Any] | None = None
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return entry.text(self.data)


Files = Mapping[str, bytes]  # the catalog's own first, as `data.parts` reads them


def spliced(files: Files, texts: Mapping[str, str]) -> dict[str, bytes]:
    """The catalog with entries more, each where its id belongs; every other byte as it was.

    texts: the entries' texts by id.
    """
    (own, _), *parts = files.items()
    wanted: dict[str, dict[str, str]] = {}  # by file
    for paper_id, text in texts.items():
        wanted.setdefault(file_of(paper_id) if parts else own, {})[paper_id] = text
    result = dict(files)
    for name, new in wanted.items():
        if name in files:
            result[name] = _spliced(files[name], name, new)
        else:
            result[name] = f"{PART_LINE}\npapers:\n{''.join(new[i] for i in sorted(new))}".encode()
    return result


def _spliced(raw: bytes, name: str, texts: Mapping[str, str]) -> bytes:
    from .fmt import before_entry

    document = alone(raw, name)
    ids = [paper["id"] for paper in document.data["papers"]]
    lines = raw.splitlines(keepends=True)
    ending = "\r\n" if raw.count(b"\r\n") else "\n"
    text = raw.decode()
    before: dict[int | None, list[str]] = {}  # what goes before which of the papers
    for paper_id in sorted(texts):
        later = next((i for i, other in enumerate(ids) if other > paper_id), None)
        before.setdefault(later, []).append(texts[paper_id])
    inserted = {
        len(lines) if i is None else before_entry(text, document.mark(("papers", i)).line - 1): new
        for i, new in before.items()
    }
    if len(lines) in inserted and lines and not lines[-1].endswith(b"\n"):
        lines[-1] += ending.encode()
    out: list[bytes] = []
    for at in range(len(lines) + 1):
        out += [new.replace("\n", ending).encode() for new in inserted.get(at, ())]
        out += lines[at : at + 1]
    return b"".join(out)


def replaced(files: Files, old: dict[str, Any], new: dict[str, Any]) -> dict[str, bytes]:
    """The catalog with an entry's canonical text exchanged. Raises AddError."""
    before = entry.text(old).encode()
    if [raw.count(before) for raw in files.values() if before in raw] != [1]:
        raise AddError(
            f"{old['id']}: is in the catalog already, but its entry has comments or is not in its "
            "canonical form: run `python -m tools fmt`, or change it by hand"
        )
    after = entry.text(new).encode()
    return {name: raw.replace(before, after) for name, raw in files.items()}


def findings_of(files: Files, path: Path) -> list[Finding]:
    """What `validate` would say of the papers of a catalog with that content."""
    context, findings = examine(joined(files, path.name), path.resolve().parent)
    if context is not None:
        findings += rules.check(context, "S200", "S699")
    return in_order(findings, path.name)


def from_files(
    kind: str, names: Iterable[str], given: Collection[str] = ()
) -> Iterator[Record | SourceError]:
    """The records of citation files, and what cannot be read of them. Raises OSError."""
    from ..records import bib, csl, ris

    reader = {"bibtex": bib.read, "ris": ris.read, "csl": csl.read}[kind]
    for name in names:
        with Path(name).open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            yield SourceError(f"{name}: is larger than {LARGEST:,} bytes")
            continue
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
            yield SourceError(f"{name}:{line}: {message}")
            continue
        yield from reader(text, name, given)


def from_registries(
    kind: str, identifiers: Iterable[str], registries: Any
) -> Iterator[Record | SourceError]:
    """What registries say, of a preprint together with its publication."""
    patterns = {"arxiv": ARXIV, "doi": DOI, "acl": ACL, "openreview": OPENREVIEW}
    for identifier in identifiers:
        blank = Record(source="", **{kind: identifier}).tidy()
        asked = next((key for key in REGISTRIES if getattr(blank, key)), kind)
        value = getattr(blank, asked)
        if not re.search(patterns[asked], value):
            yield SourceError(f"'{identifier}' is not {PATTERNS[patterns[asked]]}")
            continue
        try:
            found = getattr(registries, asked)(value).tidy()
            if asked == "arxiv" and found.doi:
                found = merged(found, registries.doi(found.doi))
        except SourceError as error:
            told = value in str(error)
            yield error if told else SourceError(f"{asked} {value}: {error}")
        else:
            yield replace(found, place=identifier)


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
    parser.add_argument("--title", default="", help="instead of the one that the source has")
    parser.add_argument("--id", default="", help="instead of the one that author and title give")
    parser.add_argument("--catalog", type=Path, default=ROOT / "papers.yaml")


def main(options: argparse.Namespace, registries: Any = None) -> int:
    if options.source in FILES:
        given = [key for key in ("title", "venue") if getattr(options, key)]
        found = from_files(options.source, options.names, given)
    elif not options.network and registries is None:
        print(f"'{options.source}' asks a registry; allow it with --network", file=sys.stderr)
        return 1
    else:
        from ..records.registries import Registries

        found = from_registries(options.source, options.names, registries or Registries())
    return put(found, options)


def put(found: Iterable[Record | SourceError], options: argparse.Namespace) -> int:
    """Print or write what can be an entry, and tell of the rest; 1 where something is refused."""
    options.modality = options.modality or ["LLM"]
    found = list(found)
    one_only = [key for key in ("id", "title") if getattr(options, key)]
    if one_only and len(found) > 1:
        print(f"--{one_only[0]} is for one entry, and {len(found)} are given", file=sys.stderr)
        return 1
    path: Path = options.catalog
    catalog, files = read(path), read_files(path)
    on_file = {paper["id"]: paper for paper in joined(files, path.name).data["papers"]}
    index, drafts, refused = Index(catalog.papers), [], False
    for one in found:
        if isinstance(one, SourceError):
            print(one, file=sys.stderr)
            refused = True
            continue
        record = replace(one, title=options.title or one.title)
        existing = index.known(record)
        if existing is None:
            draft = Draft(as_entry(record, catalog, index.ids, options), record.place)
            draft.faults = obstacles(draft.data, record, catalog, index.ids)
            if not draft.faults:
                index.add(Paper.model_validate(draft.data))
        elif existing.id not in on_file:
            draft = Draft({}, record.place, faults=[f"'{record.title}' is given twice"])
        else:
            old = on_file[existing.id]
            draft = Draft(gained(old, record, catalog) or {}, record.place, old)
            if draft.data:
                on_file[existing.id] = draft.data
            else:
                said = f"'{record.title}' is in the catalog already: {existing.id}"
                draft.faults.append(said)
        drafts.append(draft)
    try:
        result = checked(files, path, [draft for draft in drafts if not draft.faults])
    except AddError as error:
        print(error, file=sys.stderr)
        return 1
    if options.write and any(not draft.faults for draft in drafts):
        for name in result.keys() - {n for n, raw in files.items() if raw == result[n]}:
            write(path.parent / name, result[name].decode())
    for draft in drafts:
        _tell(draft, options)
    return int(refused or any(draft.faults for draft in drafts))


def checked(files: Files, path: Path, drafts: list[Draft]) -> Files:
    """The catalog with the drafts that have no findings; the others get them as faults.

    Raises AddError where findings are nobody's.
    """
    while True:
        result, fresh = files, [draft for draft in drafts if not draft.faults]
        for draft in fresh:
            if draft.old is not None:
                try:
                    result = replaced(result, draft.old, draft.data)
                except AddError as error:
                    draft.faults.append(str(error))
        fresh = [draft for draft in fresh if not draft.faults]
        new = {draft.data["id"]: str(draft) for draft in fresh if draft.old is None}
        result = spliced(result, new) if new else result
        findings = findings_of(result, path) if fresh else []
        if not findings:
            return result
        by_id = {draft.data["id"]: draft for draft in fresh}
        for finding in findings:
            own = finding.entry in by_id
            draft = by_id[finding.entry] if own else fresh[0] if len(fresh) == 1 else None
            if draft is not None:
                hint = "; give another with --title" if finding.field == "title" else ""
                field = finding.field if own else f"beside it, {finding.entry}.{finding.field}"
                draft.faults.append(f"{field}: {finding.message}{hint} ({finding.code})")
        if not any(draft.faults for draft in fresh):
            raise AddError(as_text(findings, "nothing was written").rstrip())


def _tell(draft: Draft, options: argparse.Namespace) -> None:
    where = ": ".join(filter(None, (draft.place, draft.data.get("id", ""))))
    if draft.faults:
        sys.stdout.write(str(draft) if draft.data else "")
        for fault in draft.faults:
            print(f"{where}: {fault}", file=sys.stderr)
        return
    if draft.old and draft.old["authors"] != draft.data["authors"]:
        print(f"{where}: the authors are now those of the publication", file=sys.stderr)
    if options.write:
        verb = "updated" if draft.old else "added"
        print(f"{draft.data['id']} {verb}; now run `python -m tools build`")
    else:
        sys.stdout.write(str(draft))
