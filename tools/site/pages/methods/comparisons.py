"""A method's comparisons with libraries: what differs as a table, what is equal folded below it."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent
from types import MappingProxyType

from markupsafe import Markup

from ....data.parity import Comparison
from ....text.escape import html, page, safe
from ....text.markup import table, with_code

OUTCOMES = {"equal": "equal", "equal-after": "equal, once the two are set alike"}
NONE: Mapping[Comparison, str] = MappingProxyType({})
MANY = 8  # models that a cell has room for


def comparison_table(
    comparisons: tuple[Comparison, ...], differences: Mapping[Comparison, str] = NONE
) -> Markup:
    """A row for each comparison; those that deviate lead to their difference, by its name."""
    apart = [c for c in comparisons if c.outcome == "deviates"]
    equal = [c for c in comparisons if c.outcome != "deviates"]
    parts = []
    if apart:
        rows = [
            [_library(c), _why(c.note, differences.get(c)), *_subject(c), _difference(c.difference)]
            for c in apart
        ]
        head = ["Library", "What differs", "Compared", "Models", "Difference"]
        parts.append(table(head, "llllr", rows))
    if equal:
        rows = [
            [
                _library(c),
                *_subject(c),
                OUTCOMES[c.outcome],
                _difference(c.difference),
                with_code(c.note),
            ]
            for c in equal
        ]
        head = ["Library", "Compared", "Models", "Result", "Difference", "After what"]
        folded = indent(table(head, "llllrl", rows), "    ")
        # not as an element: there are such elements in the cells, and Markdown ends at the first
        parts.append(safe(f'??? equal "{len(equal)} equal"\n\n{folded}'))
    return safe("\n\n").join(parts)


def _library(comparison: Comparison) -> Markup:
    return page(f"{comparison.library} {comparison.version}")


def _subject(comparison: Comparison) -> list[Markup]:
    """What was compared, and on which models."""
    return [with_code(comparison.compared), _models(comparison.models)]


def _why(note: str, difference: str | None) -> Markup:
    """The note, as a link to what is told of it."""
    if difference is None:
        return with_code(note)
    return safe(f"[{with_code(note)}](differences.md#{html(difference)})")


def _models(models: tuple[str, ...]) -> Markup:
    """Their names; of many, how many they are, and the names on demand."""
    names = page(", ".join(models))
    if len(models) <= MANY:
        return names
    return safe(f"<details><summary>{len(models)} architectures</summary>{names}</details>")


def _difference(value: float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:+,}".replace("-", "−") if value else "0"
    return f"{value:.1e}".replace("e-0", "e-").replace("e+00", "") if value else "0.0"
