"""What is known of an entry: each raw record that is kept, compared with the entry field by field.

Whether an entry is verified follows from that comparison, and is written down nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..data.schema import Name, Paper, Venue
from ..kept import Kept
from .cut import cut
from .record import Record, differences, letters, same_person, same_title
from .store import Evidence, digest
from .venues import venue_of

State = Literal["verified", "seconded", "unverified", "contradicted"]
# What the states mean, for readers.
MEANINGS: dict[State, str] = {
    "verified": "the record of its publisher or registry agrees",
    "seconded": "no publisher's record is kept yet; one that someone else keeps agrees",
    "unverified": "there is nothing to compare with yet",
    "contradicted": "a record says something else, and nobody has said why",
}
# What is compared, in the order in which it is told.
FIELDS = (
    "title",
    "authors",
    "year",
    "venue",
    "pages",
    "doi",
    "arxiv",
    "acl",
    "openreview",
    "code",
)
PREPRINT = "the record is of the preprint"


@dataclass(frozen=True)
class Difference:
    """What a record says otherwise: of which field, in words, and why, where somebody knows."""

    field: str
    said: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.said}: {self.reason}" if self.reason else self.said


def compared(paper: Paper, one: Evidence, venues: Mapping[str, Venue]) -> dict[str, str]:
    """What the record says otherwise of each field that both could be compared in; empty: the same.

    A field that the record prints and the entry lacks differs, too. A list of authors that the
    record itself breaks off can differ, but is not the same. Raises EvidenceError.
    """
    record, found = one.record, {}
    titles = [t for t in (paper.title, *paper.also_titled) if same_title(t, record.title)]
    whole = {
        "title": Record("", title=record.title),
        "authors": Record("", authors=record.authors, truncated=record.truncated),
        "year": Record("", year=record.year, first_year=record.first_year),
    }
    for name, part in whole.items():
        if part != Record("", truncated=record.truncated) and part != Record(""):
            told = differences(part, (titles or [paper.title])[0], paper.names, paper.year)
            if told or not part.truncated:
                found[name] = "; ".join(told)
    venue = venue_of(record.venue, venues.values())
    if venue and venue.kind != "preprint":
        found["venue"] = "" if venue.id == paper.venue else f"venue is {venue.id} there"
    for name in FIELDS[FIELDS.index("pages") :]:
        theirs, ours = getattr(record, name), getattr(paper, name)
        if theirs and not _same(name, theirs, ours or ""):
            found[name] = f"{name} is {theirs} there, {ours or 'none'} here"
        elif theirs:
            found[name] = ""
    return {name: found[name] for name in FIELDS if name in found}


@dataclass(frozen=True)
class Judgement:
    """What one record says of its entry.

    said: of each field, as `compared`. differences: what it says otherwise, with the reasons that
    are known. identified: it is found by an identifier of the entry, or stands where that leads.
    """

    one: Evidence
    said: Mapping[str, str]
    differences: list[Difference]
    identified: bool

    @property
    def unexplained(self) -> list[Difference]:
        """The disagreements that nobody has given a reason for."""
        return [difference for difference in self.differences if not difference.reason]

    @property
    def vouched(self) -> tuple[str, ...]:
        """The fields of the entry that the record prints in the same way."""
        return tuple(name for name, said in self.said.items() if not said)


def judge(paper: Paper, one: Evidence, venues: Mapping[str, Venue]) -> Judgement:
    """Compare the entry with a record. Raises EvidenceError where it cannot be read."""
    said = compared(paper, one, venues)
    same = {"doi", "arxiv", "acl", "openreview"} & {name for name in said if not said[name]}
    address = re.sub(r"^https?://", "", paper.url or "")
    there = bool(address) and re.sub(r"^https?://", "", one.record.url) == address
    return Judgement(one, said, _differences(paper, one, said), bool(same) or there)


class Judge:
    """Judges as `judge` does, and keeps what it says for the next run."""

    kept = Kept("judgements", "bibtexparser")

    def __init__(self, venues: Mapping[str, Venue]) -> None:
        self.venues = venues
        self.known = digest("\0".join(venue.model_dump_json() for venue in venues.values()))

    def __call__(self, paper: Paper, one: Evidence) -> Judgement:
        """Compare the entry with a record. Raises EvidenceError where it cannot be read."""
        reasons = sorted(one.reasons.items())
        record = (one.source, one.kind, one.raw, one.digest, reasons)
        said, differences, identified = self.kept.answer(
            f"{self.known} {paper.model_dump_json()} {record}", lambda: self.found(paper, one)
        )
        return Judgement(one, said, [Difference(*each) for each in differences], identified)

    def found(self, paper: Paper, one: Evidence) -> tuple[Mapping[str, str], list[list[str]], bool]:
        own = judge(paper, one, self.venues)
        differences = [[each.field, each.said, each.reason] for each in own.differences]
        return own.said, differences, own.identified


def _differences(paper: Paper, one: Evidence, fields: Mapping[str, str]) -> list[Difference]:
    """What the record says otherwise, with the reasons that are known.

    A preprint may be of the year of its number where the entry has that of the publication; any
    other reason is a curator's, and one that explains nothing is a fault, as a record is that does
    not fit its digest or holds an abstract.
    """
    record, found = one.record, []
    for name, said in fields.items():
        if said:
            number = re.match(r"(\d\d)\d\d\.", record.arxiv)
            early = name == "year" and _of_preprint(record) and paper.venue != "arXiv"
            known = early and number and record.year == 2000 + int(number[1])
            found.append(Difference(name, said, one.reasons.get(name) or (PREPRINT * bool(known))))
    told = {difference.field for difference in found}
    if "names" in one.reasons and (spelled := misspelled(paper, [replace(one, reasons={})])):
        found.append(Difference("names", "; ".join(spelled), one.reasons["names"]))
        told.add("names")
    for name in sorted(one.reasons.keys() - told):
        found.append(Difference("", f"the reason given for {name} explains nothing"))
    if digest(one.raw) != one.digest:
        found.append(Difference("", f"the record's digest is {digest(one.raw)}"))
    if cut(one.raw, one.kind)[0] != one.raw:
        found.append(Difference("", "prose of others is not cut: write [cut] in its place"))
    return found


def state(judgements: Iterable[Judgement]) -> State:
    """What is known of an entry, all records taken together.

    A record counts that prints title and authors as the entry has them. The publisher's has to
    carry an identifier or the address of the entry as well.
    """
    judgements = tuple(judgements)
    if any(each.unexplained for each in judgements):
        return "contradicted"
    full = [each for each in judgements if {"title", "authors"} <= {*each.vouched}]
    if any(each.one.registry and each.identified for each in full):
        return "verified"
    return "seconded" if full else "unverified"


def misspelled(paper: Paper, evidence: Iterable[Evidence]) -> list[str]:
    """Authors whose names are written as the rule for names does not allow.

    The publisher's record decides. A fuller form may stand where another record that is kept prints
    it. Without a publisher's record, one of those that are kept has to print the name.
    """
    lists = [(one, one.record.authors) for one in evidence]
    lists = [
        (one, authors)
        for one, authors in lists
        if len(authors) == len(paper.names) and not {"authors", "names"} & one.reasons.keys()
    ]
    found = []
    for place, ours in enumerate(paper.names):
        printed = [(one, authors[place]) for one, authors in lists]
        decides = [(one, name) for one, name in printed if one.registry]
        if any(_spelled_alike(ours, name, one.record.splits) for one, name in decides):
            continue
        second = any(_spelled_alike(ours, name) for one, name in printed if not one.registry)
        if second and all(_fuller(ours, name) for _, name in decides):
            continue
        for _, name in (decides or printed)[:1]:
            theirs = f"{name.family}, {name.given}".strip(", ")
            found.append(f"author {place + 1} is written '{theirs}' there")
    return found


def _spelled_alike(ours: Name, theirs: Name, splits: bool = False) -> bool:
    """The same letters with the same accents, in words; case, dots and apostrophes left aside."""

    def words(*parts: str) -> list[str]:
        return re.sub(r"[.'’`]", "", " ".join(parts)).replace("-", " ").casefold().split()

    return words(ours.given, ours.family) == words(theirs.given, theirs.family) and (
        not splits or words(ours.family) == words(theirs.family)
    )


def _fuller(ours: Name, theirs: Name) -> bool:
    return same_person(ours, theirs) and len(letters("".join(ours))) >= len(
        letters("".join(theirs))
    )


def _of_preprint(record: Record) -> bool:
    return bool(re.match(r"arxiv\b", record.venue, re.IGNORECASE))


def _same(name: str, theirs: str, ours: str) -> bool:
    if name != "code":
        return theirs.casefold() == ours.casefold()
    short, long = (re.sub(r"^https?://|\.git$|/$", "", url.casefold()) for url in (theirs, ours))
    return long == short or long.startswith(f"{short}/")
