"""What is new, as Atom (RFC 4287) and as JSON Feed 1.1."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape

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
    updated = max((paper.added or "" for paper in entries), default="2026-01-01")
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<feed xmlns="{ATOM}">',
        f"  <title>{_xml(_title(topic))}</title>",
        f"  <id>{TAG}:feed/{_xml(topic or 'all')}</id>",
        f"  <updated>{_moment(updated)}</updated>",
        *_author("  ", TITLE),
        "  <rights>CC0-1.0</rights>",
        *([f"  {_link(site)}"] if site else []),
        *map(_entry, entries),
        "</feed>",
    ]
    return "\n".join(lines) + "\n"


# A paper is in the feeds of its leaves, of its branches and in that of all.
@cache
def _entry(paper: Paper) -> str:
    lines = [
        "  <entry>",
        f"    <title>{_xml(paper.title)}</title>",
        f"    <id>{TAG}:paper/{paper.id}</id>",
        f"    <updated>{_moment(paper.added or '')}</updated>",
        *(line for name in full_authors(paper) for line in _author("    ", name)),
        f"    {_link(paper.link)}",
        *(f'    <category term="{leaf}" />' for leaf in paper.leaves),
        f"    <summary>{_xml(paper.summary)}</summary>",
        "  </entry>",
    ]
    return "\n".join(lines)


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


def _xml(text: str) -> str:
    return escape(plain(text), quote=False)


def _author(margin: str, name: str) -> list[str]:
    return [f"{margin}<author>", f"{margin}  <name>{_xml(name)}</name>", f"{margin}</author>"]


def _link(address: str) -> str:
    return f'<link rel="alternate" href="{escape(address)}" />'
