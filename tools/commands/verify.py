"""`python -m tools verify`: does every entry say what the record behind its identifiers says?

`tools/evidence.json` keeps what registries answered: title, authors and year, when, and a digest.
Whether an entry is verified follows from comparing the two, and is written down nowhere.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from ..data.files import ROOT, write
from ..data.findings import Finding, as_github, as_json, as_text
from ..data.loader import load
from ..data.schema import Paper
from ..records.evidence import (
    EVIDENCE,
    MEANINGS,
    Evidence,
    EvidenceError,
    as_file,
    disagreements,
    evidence_of,
    read_evidence,
    state,
)
from ..records.record import Record, SourceError
from ..rules.catalog import read
from ..text.words import count

FORMATS = {"text": as_text, "json": as_json, "github": as_github}


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
    asked = count(len(wanted), "entry", "entries")
    sys.stdout.write(FORMATS[options.format](findings, f"{asked}: {told}"))
    return 1 if findings else 0


def _ask_all(
    papers: list[Paper], known: dict[str, tuple[Evidence, ...]], registries: Any, root: Path
) -> None:
    """Ask for each paper, and keep what was answered in place of what was known."""
    from tqdm import tqdm

    from ..records.registries import Registries

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
