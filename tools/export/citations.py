"""A paper as a CSL-JSON item and as a RIS record."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..data.schema import Paper, Venue
from ..text.escape import plain

# Venue kind -> type in CSL, type in RIS, tag of the venue's name in RIS.
TYPES = {
    "conference": ("paper-conference", "CONF", "T2"),
    "workshop": ("paper-conference", "CONF", "T2"),
    "journal": ("article-journal", "JOUR", "JO"),
    "preprint": ("article", "UNPB", "PB"),
    "report": ("report", "RPRT", "PB"),
    "web": ("webpage", "ELEC", "PB"),
}


def csl(paper: Paper, venue: Venue) -> dict[str, Any]:
    """The item of a CSL-JSON list (schema of CSL 1.0.2)."""
    kind = TYPES[venue.kind][0]
    item: dict[str, Any] = {
        "id": paper.id,
        "type": {"blog": "post-weblog", "code": "software"}.get(paper.kind, kind),
        "title": paper.title,
        "author": [
            {"family": name.family, "given": name.given} if name.given else {"literal": name.family}
            for name in paper.names
        ],
    }
    if paper.year:
        item["issued"] = {"date-parts": [[paper.year]]}
    item["publisher" if venue.kind in ("preprint", "report", "web") else "container-title"] = (
        venue.name
    )
    values = {
        "page": paper.pages,
        "DOI": paper.doi,
        "archive": "arXiv" if paper.arxiv else None,
        "archive_location": paper.arxiv,
        "URL": paper.link,
    }
    return item | {key: value for key, value in values.items() if value}


@cache
def ris(paper: Paper, venue: Venue) -> str:
    """The record, which ends with its ER line and a newline."""
    _, kind, venue_tag = TYPES[venue.kind]
    first, _, last = (paper.pages or "").partition("-")
    lines = [
        ("TY", {"blog": "BLOG", "code": "COMP"}.get(paper.kind, kind)),
        ("ID", paper.id),
        ("TI", paper.title),
        *(("AU", f"{n.family}, {n.given}" if n.given else f"{n.family},") for n in paper.names),
        ("PY", str(paper.year or "")),
        (venue_tag, venue.name),
        ("SP", first),
        ("EP", last),
        ("DO", paper.doi or ""),
        ("AN", f"arXiv:{paper.arxiv}" if paper.arxiv else ""),
        ("UR", paper.link),
    ]
    text = [f"{tag}  - {plain(value)}" for tag, value in lines if value]
    return "\n".join([*text, "ER  - "]) + "\n"
