"""Papers by themselves: their authors in words, their order, their years."""

from __future__ import annotations

from collections.abc import Iterable

from .schema import Paper


def short_authors(paper: Paper) -> str:
    """'Hu et al.', 'Li and Liang', 'Ruder'."""
    families = [name.family for name in paper.names]
    if len(families) > 2:
        return f"{families[0]} et al."
    return " and ".join(families)


def full_authors(paper: Paper) -> list[str]:
    """Every author, given name first."""
    return [f"{name.given} {name.family}".strip() for name in paper.names]


def newest_first(papers: Iterable[Paper]) -> list[Paper]:
    """By year, the newest first, undated ones last; by id within a year."""
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
