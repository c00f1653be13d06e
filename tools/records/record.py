"""What a registry or a citation file says of one work, and when two such are the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..data.schema import Name

ARXIV_DOI = re.compile(r"10\.48550/arxiv\.(.+)", re.IGNORECASE)


class SourceError(Exception):
    """What was read holds no usable work; the message is one line and says where and why."""


@dataclass(frozen=True)
class Record:
    """One work. Empty where the source does not say.

    source: where this comes from ("arxiv", "crossref", "bibtex", …). authors: given names empty for
    groups. year: of this publication; first_year: of its first version, a preprint's. venue: as the
    source writes it. truncated: the source says that there are more authors than it names.
    """

    source: str
    title: str = ""
    authors: tuple[Name, ...] = ()
    year: int | None = None
    first_year: int | None = None
    venue: str = ""
    arxiv: str = ""
    doi: str = ""
    acl: str = ""
    openreview: str = ""
    url: str = ""
    pages: str = ""
    truncated: bool = False

    def tidy(self) -> Record:
        """With identifiers in the catalog's form, also those that hide in another.

        An arXiv DOI or link is an arXiv identifier, an ACL DOI or link is one of the Anthology.
        """
        doi = re.sub(r"^(?:https?://(?:dx\.)?doi\.org/|doi:)", "", self.doi.strip(), flags=re.I)
        arxiv = re.sub(r"^arxiv:", "", self.arxiv.strip(), flags=re.IGNORECASE)
        acl, openreview, url = self.acl, self.openreview, self.url.strip()
        if match := ARXIV_DOI.fullmatch(doi):
            arxiv, doi = arxiv or match[1], ""
        if match := re.match(r"https?://(?:www\.|export\.)?arxiv\.org/(?:abs|pdf)/(.+)", url):
            arxiv, url = arxiv or match[1].removesuffix(".pdf"), ""
        if match := re.match(r"https?://(?:www\.)?aclanthology\.org/([^/]+)/?$", url):
            acl, url = acl or match[1].removesuffix(".pdf"), ""
        if match := re.match(r"https?://openreview\.net/(?:forum|pdf)\?id=([\w-]+)", url):
            openreview, url = openreview or match[1], ""
        if match := re.match(r"https?://(?:dx\.)?doi\.org/(10\..+)", url):
            doi, url = doi or match[1], ""
        if match := re.match(r"10\.18653/v1/(.+)", doi):
            acl = acl or match[1]
        return replace(
            self,
            title=" ".join(self.title.split()).removesuffix("."),
            venue=" ".join(self.venue.split()),
            arxiv=re.sub(r"v\d+$", "", arxiv),
            doi=doi,
            acl=acl,
            openreview=openreview,
            url=url if url.startswith(("http://", "https://")) else "",
            pages=re.sub(r"\s*[-–—]+\s*", "-", self.pages.strip()),
        )


def letters(text: str) -> str:
    """Only letters and digits, without case and accents: what two spellings have in common."""
    plain = re.sub(r"\\[a-zA-Z]+|[{}$]", "", text).replace("ß", "ss")
    plain = plain.translate(str.maketrans("łŁøØđĐıæÆœŒþÞ", "lLoOdDiaAoOtT"))
    plain = unicodedata.normalize("NFKD", plain).casefold()
    return "".join(char for char in plain if char.isalnum())


def same_title(one: str, other: str) -> bool:
    """Whether two titles differ in case, accents, punctuation and markup at most."""
    return bool(letters(one)) and letters(one) == letters(other)


def same_person(one: Name, other: Name) -> bool:
    """Whether two names may be one person's: one family name, and no given names that clash.

    Initials stand for names, and middle names may be missing. A registry that splits a name in
    another place ("van der Maaten", "Laurens" or "Maaten", "Laurens van der") says the same.
    """
    if not (one.given and other.given):
        return letters(one.family + one.given) == letters(other.family + other.given)
    if letters(one.family) != letters(other.family):
        words = [sorted(map(letters, f"{n.given} {n.family}".split())) for n in (one, other)]
        return words[0] == words[1]
    pairs = zip(_given(one), _given(other), strict=False)
    return all(a.startswith(b) or b.startswith(a) for a, b in list(pairs)[:1])


def _given(name: Name) -> list[str]:
    return [word for word in map(letters, re.split(r"[\s.\-]+", name.given)) if word]


def differences(record: Record, title: str, authors: Iterable[Name], year: int | None) -> list[str]:
    """What the record says otherwise, in words; empty where it agrees.

    A year may be the record's own or that of its first version.
    """
    found = []
    if record.title and not same_title(record.title, title):
        found.append(f"title is '{record.title}' there")
    theirs, ours = record.authors, tuple(authors)
    if theirs:
        if len(theirs) != len(ours) and not record.truncated:
            found.append(f"{len(theirs)} authors there, {len(ours)} here")
        for place, (their, our) in enumerate(zip(theirs, ours, strict=False), 1):
            if not same_person(their, our):
                name = f"{their.given} {their.family}".strip()
                found.append(f"author {place} is '{name}' there")
    years = {y for y in (record.year, record.first_year) if y}
    if years and year not in years:
        found.append(f"year is {' or '.join(map(str, sorted(years)))} there")
    return found
