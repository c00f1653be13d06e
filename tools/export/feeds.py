"""What is new, as Atom (RFC 4287) and as JSON Feed 1.1."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from xml.etree import ElementTree as ET

from ..data.papers import full_authors, last_seen_first
from ..data.schema import Paper
from ..text.escape import plain
from .lines import json_line, json_lines

TITLE = "Fine-Tuning Atlas"
ATOM = "http://www.w3.org/2005/Atom"
# An address that stays when the site moves (RFC 4151).
TAG = "tag:fine-tuning-atlas.github.io,2026"
NEWEST = 100


def newest(papers: Iterable[Paper]) -> list[Paper]:
    """The entries added last, newest first; those without a date are left out.

    Of those that were added on one day, the ones that appeared last come first.
    """
    dated = [paper for paper in last_seen_first(papers) if paper.added]
    return sorted(dated, key=lambda paper: paper.added or "", reverse=True)[:NEWEST]


def atom(papers: Iterable[Paper], *, topic: str = "", site: str = "") -> str:
    """The feed of a branch (`topic`) or of everything. `site`: where the site is, if anywhere."""
    entries = newest(papers)
    ET.register_namespace("", ATOM)
    feed = ET.Element(f"{{{ATOM}}}feed")
    _child(feed, "title", _title(topic))
    _child(feed, "id", f"{TAG}:feed/{topic or 'all'}")
    _child(feed, "updated", _moment(max((p.added or "" for p in entries), default="2026-01-01")))
    author = ET.SubElement(feed, f"{{{ATOM}}}author")
    _child(author, "name", TITLE)
    _child(feed, "rights", "CC0-1.0")
    if site:
        ET.SubElement(feed, f"{{{ATOM}}}link", {"rel": "alternate", "href": site})
    ET.indent(feed)
    head = ET.tostring(feed, encoding="unicode").removesuffix("\n</feed>")
    lines = ['<?xml version="1.0" encoding="utf-8"?>', head, *map(_entry, entries), "</feed>"]
    return "\n".join(lines) + "\n"


# A paper is in the feeds of its leaves, of its branches and in that of all.
@cache
def _entry(paper: Paper) -> str:
    entry = ET.Element(f"{{{ATOM}}}entry")
    _child(entry, "title", paper.title)
    _child(entry, "id", f"{TAG}:paper/{paper.id}")
    _child(entry, "updated", _moment(paper.added or ""))
    for name in full_authors(paper):
        author = ET.SubElement(entry, f"{{{ATOM}}}author")
        _child(author, "name", name)
    ET.SubElement(entry, f"{{{ATOM}}}link", {"rel": "alternate", "href": paper.link})
    for leaf in paper.leaves:
        ET.SubElement(entry, f"{{{ATOM}}}category", {"term": leaf})
    _child(entry, "summary", paper.summary)
    ET.indent(entry, level=1)
    return "  " + ET.tostring(entry, encoding="unicode").replace(f' xmlns="{ATOM}"', "", 1)


def json_feed(papers: Iterable[Paper], *, topic: str = "", site: str = "") -> str:
    """The same as a JSON Feed."""
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": _title(topic), "language": "en"}
    head = {**feed, **({"home_page_url": site} if site else {})}
    return json_lines(map(_item, newest(papers)), "items", head)


@cache
def _item(paper: Paper) -> str:
    return json_line(
        {
            "id": f"{TAG}:paper/{paper.id}",
            "url": paper.link,
            "title": paper.title,
            "content_text": paper.summary,
            "date_published": _moment(paper.added or ""),
            "authors": [{"name": name} for name in full_authors(paper)],
            "tags": list(paper.leaves),
        }
    )


def _title(topic: str) -> str:
    return f"{TITLE}: {topic}" if topic else TITLE


def _moment(day: str) -> str:
    return f"{day}T00:00:00Z"


def _child(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{ATOM}}}{name}").text = plain(text)
