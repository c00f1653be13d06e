"""What is known of the papers: `tools/evidence.json` keeps what registries answered.

That is title, authors and year, when, and a digest. Whether an entry is verified follows from
comparing the two, and is written down nowhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ..data.committed import CommittedError, first_fault
from ..data.schema import Name, Paper
from .record import Record, differences, same_title

EVIDENCE = Path("tools") / "evidence.json"
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


def as_file(known: dict[str, tuple[Evidence, ...]]) -> str:
    """The text of the evidence file."""
    data = {
        name: [{**one.model_dump(), "authors": list(map(list, one.authors))} for one in items]
        for name, items in sorted(known.items())
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
