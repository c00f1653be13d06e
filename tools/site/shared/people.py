"""Who wrote what: every author's place among the pages of authors."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from markupsafe import Markup

from ...data.papers import last_seen_first
from ...data.schema import Catalog, Name, Paper
from ...text.escape import html, safe
from ...text.slugs import folded, slugs

OTHER = "other"  # the page of names that begin with no Latin letter
MANY = 1200  # entries on a page, which has 37 bytes for each when it is compressed


class Author(NamedTuple):
    """A name as the catalog writes it, the page and the anchor that it has, and its entries."""

    name: Name
    page: str
    anchor: str
    papers: list[Paper]

    @property
    def full(self) -> str:
        return f"{self.name.given} {self.name.family}".strip()

    @property
    def link(self) -> Markup:
        """The name as a link, on a page one folder below the top."""
        return safe(f'<a href="../authors/{self.page}.html#{self.anchor}">{html(self.full)}</a>')


def authors(catalog: Catalog) -> dict[Name, Author]:
    """Every author by name; the entries by their first appearance, the latest first.

    One spelling is one author: who of several people is meant, the catalog does not know. Names
    that were added first get their anchors first, so that later ones change none.
    """
    by_addition = sorted(catalog.papers, key=lambda paper: (paper.added or "", paper.id))
    papers: dict[Name, list[Paper]] = {n: [] for paper in by_addition for n in paper.names}
    for paper in last_seen_first(catalog.papers):
        for name in dict.fromkeys(paper.names):  # two authors of a paper may have one name
            papers[name].append(paper)
    anchors = slugs((f"{name.family} {name.given}" for name in papers), "author")
    found = zip(papers, pages(papers), anchors, papers.values(), strict=True)
    return {author[0]: Author(*author) for author in found}


def pages(papers: dict[Name, list[Paper]]) -> list[str]:
    """The page of each name: its first letter, and as many more as keep the page light."""
    starts = [list(accumulate(letters(name.family))) for name in papers]
    number: Counter[str] = Counter()
    for own, listed in zip(starts, papers.values(), strict=True):
        for start in own:
            number[start] += len(listed)
    return [
        next((start for start in own if number[start] <= MANY), own[-1])
        if own and own[0].isascii()
        else OTHER
        for own in starts
    ]


@cache
def letters(family: str) -> str:
    """What a family name is sorted by: its letters from the first on, without accents and case.

    Empty where it begins with a digit: no letter is the first.
    """
    signs = "".join(filter(str.isalnum, folded(family)))
    return "" if signs[:1].isdigit() else "".join(filter(str.isalpha, signs))
