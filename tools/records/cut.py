"""What is cut out of records before they are kept: other people's prose, references, private data.

A mark stands where it was, so that a reader sees that something is missing and what.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

MARK = "[cut]"
_ELEMENTS = {"acl-xml": "abstract", "atom": "summary"}
# What papercopilot's lists say of a paper; the rest is of people, of reviews and of other sites.
_OF_THE_PAPER = ("title", "author", "track", "status", "id", "site", "doi", "arxiv")
_JSON: dict[str, Callable[[str], bool]] = {
    "csl": lambda name: name in ("abstract", "reference"),
    "mlanthology": lambda name: name == "abstract",
    "arxiv-json": lambda name: name in ("summary", "AI"),
    "paperlists": lambda name: name not in _OF_THE_PAPER,
}


def cut(raw: str, kind: str) -> tuple[str, tuple[str, ...]]:
    """The record without its abstract, and the names of what is gone; the rest to the letter.

    Of what was cut already nothing more is cut. A `reference` is what Crossref's answers hold.
    """
    found = _prose(raw, kind)
    for _, start, end, mark in reversed(found):
        raw = raw[:start] + mark + raw[end:]
    return raw, tuple(dict.fromkeys(name for name, *_ in found))


def abstract(raw: str, kind: str) -> str:
    """The abstract that a record has, as it stands there; empty where it has none."""
    spans = [raw[a:b] for name, a, b, _ in _prose(raw, kind) if name in ("abstract", "summary")]
    return " ".join(spans)


def _prose(raw: str, kind: str) -> list[tuple[str, int, int, str]]:
    """What is cut out: its name, where it starts and ends, and the mark in its place."""
    if kind in _ELEMENTS:
        name = _ELEMENTS[kind]
        spans = [m.span(1) for m in re.finditer(rf"(?s)<{name}[^>/]*>(.*?)</{name}>", raw)]
        return [(name, start, end, MARK) for start, end in spans]
    if kind in _JSON:
        return [
            (name, start, end, json.dumps(MARK))
            for name, start, end in _members(raw)
            if _JSON[kind](name)
        ]
    if kind == "pmlr":
        block = re.search(r"(?m)^abstract: (.*\n(?: .*\n|\n)*)", raw)
        return [("abstract", *block.span(1), f"'{MARK}'\n")] if block else []
    return [("abstract", start, end, f"{{{MARK}}}") for start, end in _values(raw)]


_DECODER = json.JSONDecoder()
_BEFORE_NAME, _BEFORE_VALUE = re.compile(r'[\s,]*(?=")'), re.compile(r"\s*:\s*")


def _members(raw: str) -> Iterator[tuple[str, int, int]]:
    """The members of the one JSON object: name, start and end of the value."""
    place = raw.index("{") + 1
    while match := _BEFORE_NAME.match(raw, place):
        name, place = _DECODER.raw_decode(raw, match.end())
        start = _BEFORE_VALUE.match(raw, place).end()
        _, place = _DECODER.raw_decode(raw, start)
        yield name, start, place


def _values(raw: str) -> Iterator[tuple[int, int]]:
    """Where the value of a BibTeX field `abstract` stands, its braces or quotes included."""
    for match in re.finditer(r"""(?im)(?:^|,)\s*\\?"?\s*abstract\s*=\s*(?=["{])""", raw):
        start = place = match.end()
        depth, quoted = 0, raw[start] == '"'
        while place < len(raw):
            depth += (raw[place] == "{") - (raw[place] == "}")
            place += 1
            if depth == 0 and (not quoted or (raw[place - 1] == '"' and place > start + 1)):
                break
        yield start, place
