"""`python -m tools verify`: does every entry say what the records say that are kept of it?

`tools/evidence/` keeps raw records. Each field that a record prints is compared with the entry;
whether an entry is verified follows from that, and is written down nowhere.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from ..data.files import ROOT
from ..data.findings import Finding, as_github, as_json, as_text
from ..data.parts import load
from ..data.schema import Paper
from ..records.cut import abstract, cut
from ..records.evidence import MEANINGS, judge, misspelled, state
from ..records.parsers import parse
from ..records.record import SourceError
from ..records.store import Evidence, EvidenceError, digest, read_evidence, save
from ..records.wording import borrowed
from ..rules.catalog import read
from ..text.words import count

FORMATS = {"text": as_text, "json": as_json, "github": as_github}


def ask(paper: Paper, registries: Any, today: str) -> tuple[list[Evidence], str]:
    """What the registries behind the paper's identifiers answer; raises SourceError.

    And words of the summary that stand in an abstract there, which is not kept: see `borrowed`.
    """
    from ..records.registries import ACL, ARXIV, DOI, KINDS

    addresses = {"doi": f"{DOI}%s", "acl": f"{ACL}%s.bib", "arxiv": f"{ARXIV}?id_list=%s"}
    found, words = [], ""
    for key, kind in KINDS.items():
        if identifier := getattr(paper, key):
            source = addresses[key] % identifier
            answer = registries.raw(key, identifier)
            parse(answer, kind, source)  # what cannot be read is not kept
            words = words or borrowed(paper.summary, abstract(answer, kind))
            raw, gone = cut(answer, kind)
            found.append(
                Evidence(
                    paper=paper.id,
                    source=source,
                    kind=kind,
                    seen=today,
                    raw=raw,
                    digest=digest(raw),
                    cut=gone,
                )
            )
    return found, words


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
    words = _ask_all(wanted, known, registries, root) if options.network else {}
    document = load(root / "papers.yaml")
    places = {paper.id: i for i, paper in enumerate(catalog.papers)}

    def finding(paper_id: str, code: str, message: str) -> Finding:
        where = ("papers", places[paper_id]) if paper_id in places else ()
        return Finding(code, document.file(where), *document.mark(where), paper_id, "", message)

    findings, explained, counts = [], [], Counter()
    for paper in wanted:
        items = known.get(paper.id, ())
        judged = [judge(paper, one, catalog.venue) for one in items]
        counts[state(judged)] += 1
        for each in judged:
            for told in each.differences:
                one = each.one
                there = f" ({one.origin}, {one.seen})"
                if told.reason:
                    explained.append(finding(paper.id, "V200", f"{told}{there}"))
                else:
                    findings.append(finding(paper.id, "V201", f"{told}{there}"))
        findings += [finding(paper.id, "V203", said) for said in misspelled(paper, items)]
    findings += [
        finding(name, "V204", f"the summary has these words of the abstract: '{said}'")
        for name, said in words.items()
    ]
    stray = sorted(known.keys() - catalog.paper.keys())
    findings += [finding(name, "V202", "there is evidence, but no such paper") for name in stray]
    told = ", ".join(f"{counts[name]} {name}" for name in MEANINGS if counts[name])
    if explained:
        told += f"; {len(explained)} disagreements (V200) have a reason"
    # GitHub shows what it is told as errors, which a disagreement with a reason is not
    shown = findings if options.format == "github" else explained + findings
    asked = count(len(wanted), "entry", "entries")
    sys.stdout.write(FORMATS[options.format](shown, f"{asked}: {told}"))
    return 1 if findings else 0


def _ask_all(
    papers: list[Paper], known: dict[str, tuple[Evidence, ...]], registries: Any, root: Path
) -> dict[str, str]:
    """Ask for each paper, and keep what was answered in place of what the same address said.

    Returns by the paper's id the words that its summary has of an abstract, where it has any.
    """
    from tqdm import tqdm

    from ..records.registries import Registries

    registries = registries or Registries()
    today, words = date.today().isoformat(), {}
    try:
        for paper in tqdm(papers, desc="records", unit="paper", disable=len(papers) < 2):
            try:
                found, said = ask(paper, registries, today)
            except SourceError as error:
                tqdm.write(f"{paper.id}: {error}", file=sys.stderr)
                continue
            if said:
                words[paper.id] = said
            asked = {one.source for one in found}
            kept = [one for one in known.get(paper.id, ()) if one.source not in asked]
            if found:
                known[paper.id] = (*kept, *found)
    finally:
        save(root, known)
    return words
