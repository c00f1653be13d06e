"""`papers/wanted.tsv`: works that the catalog may lack, as lists and records of others name them.

A line is a work: node of the taxonomy where it seems to belong, year, title, identifier or address,
and the name of its method where it is known by one, with a tab between them. A method that
libraries name and of which no paper is known has a hyphen for year and identifier.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from .committed import CommittedError
from .schema import ACL, ARXIV, DOI, OPENREVIEW

FILE = Path("papers") / "wanted.tsv"
# By what stands before the colon: what the rest must be, and where it leads.
_KINDS = {
    "arXiv": (ARXIV, "https://arxiv.org/abs/"),
    "doi": (DOI, "https://doi.org/"),
    "ACL": (ACL, "https://aclanthology.org/"),
    "OpenReview": (OPENREVIEW, "https://openreview.net/forum?id="),
}


class Wanted(NamedTuple):
    """A work that may be added. identifier: of one of the kinds above, an address, or empty."""

    node: str
    year: int
    title: str
    identifier: str
    method: str = ""

    @property
    def link(self) -> str:
        kind, _, value = self.identifier.partition(":")
        return f"{_KINDS[kind][1]}{value}" if kind in _KINDS else self.identifier


def read_wanted(root: Path) -> tuple[Wanted, ...]:
    """The works in the file's order; none where there is no file. Raises CommittedError."""
    path = root / FILE
    if not path.is_file():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(_row(line, f"{FILE.as_posix()}:{i}") for i, line in enumerate(lines, 1))


def _row(line: str, place: str) -> Wanted:
    node, year, title, identifier, *method = line.split("\t")[:5] + [""] * (4 - line.count("\t"))
    kind, _, value = identifier.partition(":")
    known = re.search(_KINDS[kind][0], value) if kind in _KINDS else kind in ("http", "https")
    if (year, identifier) == ("-", "-") and title.strip():
        return Wanted(node, 0, title, "")
    if not (re.fullmatch(r"20\d\d|19\d\d", year) and title.strip() and known):
        raise CommittedError(f"{place}: write node, year, title and identifier, with tabs between")
    return Wanted(node, int(year), title, identifier, method[0] if method else "")
