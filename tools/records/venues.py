"""Which of the catalog's venues a source means: by the whole of what it says, never by a part.

"Workshop on X at NeurIPS" holds a conference's name and is not that conference. So what sources add
(ordinals, years, "Proceedings of", places) is taken off by name, and what is left must be a venue's
name or its id; else nothing is said, and a person has to choose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from ..data.schema import Venue
from .plain import plain
from .record import letters

_ONES = (
    "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|"
    "fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth"
)
_TENS = "twent|thirt|fort|fift|sixt|sevent|eight|ninet"
_ORDINAL = rf"(?:(?:{_TENS})y[- ])?(?:{_ONES})|(?:{_TENS})ieth|\d+(?:st|nd|rd|th)"
_TRACK = r"(?:long(?: and short)?|short|main|regular|research)(?: papers| conference| track)*"
_ADDED = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?:'|(?:19|20))\d\d\b",
        rf"\b(?:{_ORDINAL})\b",
        rf"\((?:volume \d+:? ?)?(?:{_TRACK})?\)|\((?:poster|oral|spotlight|online|\d+)\)",
        rf"[:,;]? (?:volume|vol\.) \d+:?(?: {_TRACK})?$",
        r" (?:poster|oral|spotlight|notable top \d+%|\d+)$",
        r": human language technologies$",
        r"[-/](?:hlt|ijcnlp|\d\d)\b",
        r" and the international joint conference on natural language processing",
        r"^(?:in:? )?(?:proc(?:eedings|\.)?(?: of)? )?(?:the )?",
        r"^(?:annual )?(?:conference (?:on|of)|advances in) (?:the )?",
    )
)
# With one of these it is another event than the conference whose name stands beside it.
_OTHER = re.compile(
    r"workshop|\bwksp|student|demonstration|\bdemos?\b|tutorial|companion|adjunct|shared task|"
    r"doctoral|satellite|competition|challenge|industry|submitted|under review|rejected|withdrawn|"
    r"blogpost|tiny papers",
    re.IGNORECASE,
)
# What may stand behind the comma after a full name: dates, volumes, the series.
_BEHIND = re.compile(
    r"(?:PMLR|virtual(?: event)?|online|(?:volume|vol\.|pages|pp\.|series|ser\.) .*|[\d\s.:/–-]+|"
    r"(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z.]* [\d –-]*)",
    re.IGNORECASE,
)
_PREPRINT = re.compile(
    r"(?:arxiv(?:\.org)?|corr|computing research repository(?: \(corr\))?)(?:[\s:,]+(?:e-?prints?|"
    r"preprints?|\(cornell university\)|arxiv|abs/\S+|[a-z./-]*\d[\w./]*|\[[\w.-]+\]))*",
    re.IGNORECASE,
)


def venue_of(text: str, venues: Iterable[Venue]) -> Venue | None:
    """The venue that the text names; None where it names none of these, or one in part."""
    text = plain(text)
    names = _names(tuple(venues))
    if _PREPRINT.fullmatch(text):
        return names.get("arxiv")
    head, *rest = (part.strip() for part in text.split(","))
    venue = _named(text, names) or _named(head, names)
    if venue is None and ": " in head:
        venue = _named(head.split(": ")[0], names)
    if venue is None or (_OTHER.search(text) and venue.kind != "workshop"):
        return None
    if ("findings" in text.lower()) != ("findings" in venue.name.lower()):
        return None
    short = _key(head) == _key(venue.id)  # no other event has the same short name
    if rest and not short and _named(text, names) is None:
        told = any(_named(part, names) is venue for part in rest)
        return venue if told or all(map(_BEHIND.fullmatch, rest)) else None
    return venue


def _names(venues: tuple[Venue, ...]) -> dict[str, Venue]:
    """The venues by the letters of their names; kept, and told by identity, which is quick."""
    if not (_last and _last[0][0] == venues):
        names = {_key(name): venue for venue in venues for name in (venue.name, venue.id)}
        _last[:] = [(venues, names)]
    return _last[0][1]


_last: list[tuple[tuple[Venue, ...], dict[str, Venue]]] = []


def _named(text: str, names: dict[str, Venue]) -> Venue | None:
    """The venue of exactly that name; a short name in brackets behind it must say the same."""
    text = _stripped(text)
    if match := re.fullmatch(r"(.+?)\s*\(([^()]+)\)", text):
        venue, short = names.get(_key(match[1])), match[2]
        alike = names.get(_key(short)) is venue or not re.fullmatch(r"[A-Z][\w-]*", short)
        return venue if alike else None
    return names.get(_key(text))


@cache
def _stripped(text: str) -> str:
    for added in _ADDED:
        text = " ".join(added.sub(" ", text).split())
    return text


def _key(text: str) -> str:
    key = letters(_stripped(text))
    return "neurips" if key == "nips" else key
