"""`python -m tools verify`: does every entry say what the record behind its identifiers says?

`tools/evidence.json` keeps what registries answered: title, authors and year, when, and a digest.
Whether an entry is verified follows from comparing the two, and is written down nowhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tools.catalog import read
from tools.committed import CommittedError, first_fault
from tools.findings import Finding, as_github, as_json, as_text
from tools.loader import load
from tools.record import Record, differences, same_title
from tools.schema import Name, Paper

ROOT = Path(__file__).resolve().parent.parent
EVIDENCE = Path("tools") / "evidence.json"
FORMATS = {"text": as_text, "json": as_json, "github": as_github}
State = Literal["verified", "seconded", "unverified", "contradicted"]
# What the states mean, for readers.
MEANINGS: dict[State, str] = {
    "verified": "the record of a registry agrees",
    "seconded": "no registry was asked yet; another list of papers agrees",
    "unverified": "there is nothing to compare with yet",
    "contradicted": "a record says something else",
}


class Evidence(BaseModel):
    """What a source said of a paper, and when.

    registry: the source is the authority behind one of the paper's identifiers; else it is a list
    that someone else keeps. digest: SHA-256 of the record, so that a slip of an editor shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    registry: bool
    seen: str
    title: str
    authors: tuple[Name, ...]
    year: int | None
    first_year: int | None
    truncated: bool
    digest: str

    @property
    def record(self) -> Record:
        return Record(
            source=self.source,
            title=self.title,
            authors=self.authors,
            year=self.year,
            first_year=self.first_year,
            truncated=self.truncated,
        )


class EvidenceError(CommittedError):
    """The file does not hold evidence; one line."""


_FILE = TypeAdapter(dict[str, tuple[Evidence, ...]])


def digest(record: Record) -> str:
    """Of what is compared, in one fixed form."""
    data = [record.title, record.authors, record.year, record.first_year, record.truncated]
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def evidence_of(record: Record, *, source: str, registry: bool, seen: str) -> Evidence:
    return Evidence(
        source=source,
        registry=registry,
        seen=seen,
        title=record.title,
        authors=record.authors,
        year=record.year,
        first_year=record.first_year,
        truncated=record.truncated,
        digest=digest(record),
    )


def read_evidence(root: Path) -> dict[str, tuple[Evidence, ...]]:
    """What is known of each paper, by its id. Raises EvidenceError."""
    path = root / EVIDENCE
    if not path.is_file():
        return {}
    try:
        return _FILE.validate_json(path.read_bytes())
    except ValidationError as error:
        raise EvidenceError(f"{EVIDENCE.as_posix()}: {first_fault(error)}") from None


def disagreements(paper: Paper, evidence: Evidence) -> list[str]:
    """What the source says otherwise; a title that the entry knows as another one is no fault."""
    titles = [t for t in (paper.title, *paper.also_titled) if same_title(t, evidence.title)]
    found = differences(
        evidence.record, titles[0] if titles else paper.title, paper.names, paper.year
    )
    if digest(evidence.record) != evidence.digest:
        found.append("the stored record does not fit its digest")
    return [f"{said} ({evidence.source}, {evidence.seen})" for said in found]


def state(paper: Paper, evidence: Iterable[Evidence]) -> State:
    """What is known of the paper, all evidence taken together."""
    evidence = tuple(evidence)
    if any(disagreements(paper, one) for one in evidence):
        return "contradicted"
    if any(one.registry for one in evidence):
        return "verified"
    return "seconded" if evidence else "unverified"


def ask(paper: Paper, registries: Any, today: str) -> list[Evidence]:
    """What the registries behind the paper's identifiers say; raises SourceError."""
    found = []
    for key, name in (("doi", "DOI"), ("acl", "ACL Anthology"), ("arxiv", "arXiv")):
        identifier = getattr(paper, key)
        if identifier:
            record = getattr(registries, key)(identifier)
            if key == "arxiv" and paper.year != record.year:
                record = Record(**{**vars(record), "year": None, "first_year": None})
            source = f"{name} {identifier}"
            found.append(evidence_of(record, source=source, registry=True, seen=today))
    return found


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", action="store_true", help="ask the registries, keep answers")
    parser.add_argument("--paper", action="append", default=[], help="only this one, by its id")
    parser.add_argument("--format", choices=sorted(FORMATS), default="text")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)


def main(options: argparse.Namespace, registries: Any = None) -> int:
    root: Path = options.root
    catalog, known = read(root / "papers.yaml"), read_evidence(root)
    wanted = [p for p in catalog.papers if not options.paper or p.id in options.paper]
    missing = set(options.paper) - set(catalog.paper)
    if missing:
        raise EvidenceError(f"the catalog has no paper '{sorted(missing)[0]}'")
    if options.network:
        _ask_all(wanted, known, registries, root)
    document = load(root / "papers.yaml")
    places = {paper.id: i for i, paper in enumerate(catalog.papers)}

    def finding(paper_id: str, code: str, message: str) -> Finding:
        mark = document.mark(("papers", places[paper_id])) if paper_id in places else (1, 1)
        return Finding(code, "papers.yaml", *mark, paper_id, "", message)

    findings = [
        finding(paper.id, "V201", said)
        for paper in wanted
        for one in known.get(paper.id, ())
        for said in disagreements(paper, one)
    ]
    stray = sorted(known.keys() - catalog.paper.keys())
    findings += [finding(name, "V202", "there is evidence, but no such paper") for name in stray]
    counts = Counter(state(paper, known.get(paper.id, ())) for paper in wanted)
    told = ", ".join(f"{counts[name]} {name}" for name in MEANINGS if counts[name])
    sys.stdout.write(FORMATS[options.format](findings, f"{len(wanted)} papers: {told}"))
    return 1 if findings else 0


def _ask_all(
    papers: list[Paper], known: dict[str, tuple[Evidence, ...]], registries: Any, root: Path
) -> None:
    """Ask for each paper, and keep what was answered in place of what was known."""
    from tqdm import tqdm

    from tools.build import write
    from tools.record import SourceError
    from tools.sources.registries import Registries

    registries = registries or Registries()
    today = date.today().isoformat()
    try:
        for paper in tqdm(papers, desc="records", unit="paper", disable=len(papers) < 2):
            try:
                found = ask(paper, registries, today)
            except SourceError as error:
                tqdm.write(f"{paper.id}: {error}", file=sys.stderr)
                continue
            if found:
                known[paper.id] = tuple(found)
    finally:
        write(root / EVIDENCE, as_file(known))


def as_file(known: dict[str, tuple[Evidence, ...]]) -> str:
    """The text of the evidence file."""
    data = {
        name: [{**one.model_dump(), "authors": list(map(list, one.authors))} for one in items]
        for name, items in sorted(known.items())
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
