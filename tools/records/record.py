"""What a registry or a citation file says of one work, and when two such are the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache

from ..data.schema import Name
from .identifiers import KINDS, find
from .plain import plain


class SourceError(Exception):
    """What was read holds no usable work; the message is one line and says where and why."""


@dataclass(frozen=True)
class Record:
    """One work. Empty where the source does not say.

    source: where this comes from ("arxiv", "crossref", "bibtex", …). authors: given names empty for
    groups. year: of this publication; first_year: of its first version, a preprint's. venue: as the
    source writes it. truncated: the source says that there are more authors than it names. place:
    the file and line, for messages.
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
    place: str = field(default="", compare=False)

    def tidy(self) -> Record:
        """With clean texts, and identifiers in the catalog's form, also those that hide in another.

        An arXiv DOI or link is an arXiv identifier, an ACL DOI or link is one of the Anthology.
        What is given for an identifier and is none stays, so that it can be told. Between pages
        stands one hyphen, whichever dash the source has.
        """
        own = {kind: getattr(self, kind).strip() for kind in KINDS}
        own["url"] = url = re.sub(r"^[\s<>]+|[\s<>]+$", "", self.url)
        seen = {kind: find(value) for kind, value in own.items()}
        found = {
            kind: next((seen[key][kind] for key in (kind, *own) if kind in seen[key]), "")
            or (own[kind] if not seen[kind] else "")
            for kind in KINDS
        }
        if seen["url"] or not url.startswith(("http://", "https://")):
            url = ""
        title = plain(self.title)
        return replace(
            self,
            **found,
            title=title if title.endswith("..") else title.removesuffix("."),
            venue=plain(self.venue),
            url=url,
            pages=re.sub(r"\s*[-\u2010-\u2015\u2212]+\s*", "-", self.pages.strip()),
        )


def all_of(found: Iterable[Record | SourceError]) -> list[Record]:
    """The records. Raises the first error among them."""
    records = []
    for one in found:
        if isinstance(one, SourceError):
            raise one
        records.append(one)
    return records


# What Unicode does not take apart into a letter and an accent.
_LETTERS = str.maketrans("łŁøØđĐıæÆœŒþÞ", "lLoOdDiaAoOtT")


@cache
def letters(text: str) -> str:
    """Only letters and digits, without case and accents: what two spellings have in common."""
    plain = re.sub(r"\\[a-zA-Z]+|[{}$]", "", text).replace("ß", "ss")
    plain = unicodedata.normalize("NFKD", plain)
    plain = plain.translate(_LETTERS).casefold()
    return "".join(char for char in plain if char.isalnum())


def same_title(one: str, other: str) -> bool:
    """Whether two titles differ in case, accents, punctuation and markup at most."""
    return bool(letters(one)) and letters(one) == letters(other)


def same_person(one: Name, other: Name) -> bool:
    """Whether two names may be one person's: one family name, and first given names that fit.

    Initials stand for names. Further given names are not compared: records leave them out, shorten
    them, or take part of a family name for one, and a work has its title and its other authors to
    be told by. A registry that splits a name in another place ("van der Maaten", "Laurens" or
    "Maaten", "Laurens van der") says the same.
    """
    if one == other:
        return True
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
