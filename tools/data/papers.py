"""Papers by themselves: their authors in words, their order, their dates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from .schema import Paper

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


class Date(NamedTuple):
    """When a paper first appeared; the month is known where an arXiv identifier tells it."""

    year: int
    month: int | None = None

    @property
    def words(self) -> str:
        return f"{MONTHS[self.month - 1]} {self.year}" if self.month else str(self.year)


def short_authors(paper: Paper) -> str:
    """'Hu et al.', 'Li and Liang', 'Ruder'."""
    families = [name.family for name in paper.names]
    if len(families) > 2:
        return f"{families[0]} et al."
    return " and ".join(families)


def full_authors(paper: Paper) -> list[str]:
    """Every author, given name first."""
    return [f"{name.given} {name.family}".strip() for name in paper.names]


def first_seen(paper: Paper) -> Date | None:
    """The year that the id keeps, and the month where the preprint is of that year."""
    return _first_seen(paper.id, paper.arxiv or "")


@cache
def _first_seen(paper_id: str, arxiv: str) -> Date | None:
    found = re.match(r"[a-z]+([0-9]{4})", paper_id)
    if not found:
        return None
    year = int(found[1])
    posted = re.match(r"(?:[a-z.-]+/)?([0-9]{2})(0[1-9]|1[0-2])", arxiv, re.IGNORECASE)
    same = posted and int(posted[1]) == year % 100
    return Date(year, int(posted[2]) if posted and same else None)


def last_seen_first(papers: Iterable[Paper]) -> list[Paper]:
    """By the time they first appeared, the latest first, undated ones last; by id within a month.

    A month that is not known counts as the middle of the year.
    """

    def key(paper: Paper) -> tuple[float, str]:
        date = first_seen(paper)
        return (-(date.year + ((date.month or 6.5) - 0.5) / 12) if date else 0, paper.id)

    return sorted(papers, key=key)


def newest_first(papers: Iterable[Paper]) -> list[Paper]:
    """By year of publication, the newest first, undated ones last; by id within a year."""
    return sorted(papers, key=lambda paper: (-(paper.year or 0), paper.id))


def oldest_first(papers: Iterable[Paper]) -> list[Paper]:
    """By year of publication, undated ones last; by id within a year."""
    return sorted(papers, key=lambda paper: (paper.year or 9999, paper.id))


def years(papers: Iterable[Paper]) -> tuple[int, int] | None:
    """The first and the last year of publication."""
    known = [paper.year for paper in papers if paper.year]
    return (min(known), max(known)) if known else None


def arxiv_year(identifier: str | None) -> int | None:
    """The year in which arXiv gave the identifier out; None where there is none."""
    if not identifier:
        return None
    digits = identifier.rpartition("/")[2][:2]
    return int(digits) + (1900 if digits > "90" else 2000) if digits.isdigit() else None
