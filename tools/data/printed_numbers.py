"""Which numbers a sentence states: not those in names, code, sources and inside of formulas."""

from __future__ import annotations

import re
from collections.abc import Iterator

# What holds digits and states no number: code, where to look something up, who wrote it and when
_ELSEWHERE = re.compile(
    r"`[^`]*`|arXiv(?::[\d.]+| v\d)|et al\. \d{4}|\bversions? \d[\d.]*"
    r"|§+ ?[A-Z]?[\d.]+(?:[-–]\d+)?|\b(?:eq|Alg|Def)\. \(?\d+\)?(?: to \(\d+\))?"
    r"|\b(?:[Tt]able|[Ff]igure|[Ff]ig|[Aa]ppendix|[Ll]ayers?)s?\.? \(?[A-Z]?\.?\d[\d.]*\)?"
)
_FORMULA = re.compile(r"\$[^$]*\$")
_NUMBER = re.compile(
    r"(?<![\w.^_{(/])(?<!\w-)(?P<digits>[-−]?\d+(?:,\d{3})+|[-−]?\d+(?:\.\d+)?(?:e-?\d+)?)"
    r"(?![\w^/-]|\.\d|,\d)(?P<percent>\s?%)?"
)
_SET = re.compile(r"(?:=|\\approx)\s*$")


def printed(text: str) -> list[float]:
    """The numbers, a percentage as its share."""
    return [_value(match) for match in matches(text)]


def matches(text: str) -> Iterator[re.Match[str]]:
    """Where they stand. In a formula only what a symbol is set to is a number: `$r = 8$`."""
    blank = _ELSEWHERE.sub(lambda match: " " * len(match[0]), text)
    formulas = [match.span() for match in _FORMULA.finditer(blank)]
    for match in _NUMBER.finditer(blank):
        inside = any(start < match.start() < end for start, end in formulas)
        if not inside or _SET.search(blank[: match.start()]):
            yield match


def _value(match: re.Match[str]) -> float:
    number = float(match["digits"].replace(",", "").replace("−", "-"))
    return round(number / 100, 12) if match["percent"] else number
