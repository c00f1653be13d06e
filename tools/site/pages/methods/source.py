"""A method's file on its page: each piece of code beside what is said about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from ....cards import Beside
from ....data.annotated import (
    HOOKS,
    Docstring,
    Piece,
    Segment,
    all_segments,
    read_details,
    read_docstring,
    segments,
)
from ....data.implementations import Implementation
from ....text.escape import safe
from ....text.formulas import FormulaError, rendered
from ....text.markup import fenced, with_code

_EQUATION = re.compile(r"\$\$.+?\$\$", re.DOTALL)
_FORMULA = re.compile(r"(\$\$?[^$`]+\$\$?)")
# Which field of the docstring says what these functions of a method do.
FIELDS = {
    "setup": ("Trained", "Frozen"),
    "trained": ("Count",),
    "stored": ("Stored",),
    "tensors": ("Stored",),
    "fold": ("Merge",),
}


@dataclass(frozen=True)
class Part:
    """A segment for the template: prose is Markdown, code fenced blocks.

    `file` is the path of the shared part that it is of, empty for the method's own.
    """

    anchor: str
    name: str
    kind: str
    lines: tuple[int, int]
    file: str
    prose: Markup
    code: Markup


def parts(
    method: Implementation, source: str, shared: Mapping[str, str], beside: Beside
) -> list[Part]:
    """The file but for its own docstring, which the page's other sections are made of.

    Behind it comes what it imports from the shared parts, whose texts are `shared`, by path, where
    that carries the equation or a detail.

    Raises FormulaError where a formula cannot be shown.
    """
    details = read_details(method.page.details)
    own = _own(method, source).name
    carrying = {name.partition(".")[0] for name in (*beside.equation, *beside.details)}
    return [
        Part(
            anchor=segment.anchor,
            name=segment.name,
            kind=segment.kind,
            lines=segment.lines,
            file=segment.file,
            prose=safe("\n\n".join(_prose(method, segment, own, beside, details))),
            code=safe("\n\n".join(fence(piece) for piece in segment.code)),
        )
        for segment in all_segments(method, source, shared)
        if segment.name and (not segment.file or segment.name.partition(".")[0] in carrying)
    ]


def numbered(method: Implementation, source: str, shared: Mapping[str, str], beside: Beside) -> str:
    """The docstring's details, each with an anchor and links to the code that carries it out."""
    anchors = {s.name: s.anchor for s in all_segments(method, source, shared)}
    items = []
    for number, text in read_details(method.page.details).items():
        places = [name for name, own in beside.details.items() if number in own and name in anchors]
        links = ", ".join(f"[`{name}`](<#{anchors[name]}>)" for name in places)
        seen = f" In the code: {links}." if links else ""
        items.append(f"{number}. {text}{seen}\n    {{: #detail-{number} }}")
    return "\n".join(items)


def fence(piece: Piece) -> Markup:
    """A block of Python whose lines have the numbers that they have in the file."""
    return fenced(piece.text, f'python linenums="{piece.first}"')


def refuses(method: Implementation, source: str) -> list[Markup]:
    """When the method's class says that it raises an error."""
    docstring = read_docstring(_own(method, source).docstring)
    return [_text(text) for text in docstring.raises.values()]


def _own(method: Implementation, source: str) -> Segment:
    """The segment of the method's class."""
    return next(s for s in segments(source) if s.lines[0] <= method.line <= s.lines[1])


def _prose(
    method: Implementation, segment: Segment, own: str, beside: Beside, details: dict[int, str]
) -> Iterator[Markup]:
    holder, _, function = segment.name.rpartition(".")
    said = read_docstring(segment.docstring)
    if segment.kind == "imports":
        said = Docstring(("What the file needs; it imports no other method.",))
    elif not said.paragraphs and holder and function in HOOKS:
        said = Docstring((HOOKS[function],))
    yield from _said(said)
    if segment.name in beside.equation:
        yield from _equations(method, beside, segment.name)
    if holder == own:
        for label in FIELDS.get(function, ()):
            text = getattr(method.page, label.lower())
            if text:
                yield safe(f"**{label}:** {rendered(text)}\n{{: .fact }}")
    for number in beside.details.get(segment.name, ()):
        if number in details:
            yield safe(
                f"[Detail {number}](#detail-{number}): {rendered(details[number])}\n{{: .detail }}"
            )


def _said(docstring: Docstring) -> Iterator[Markup]:
    for paragraph in docstring.paragraphs:
        yield _text(paragraph)
    for name, text in docstring.arguments.items():
        yield safe(f"`{name}`\n:   {_text(text)}")
    for name, text in docstring.raises.items():
        yield safe(f"Raises `{name}`\n:   {_text(text)}")


def _equations(method: Implementation, beside: Beside, name: str) -> list[Markup]:
    """The n-th equation for the n-th of as many segments, else all of them; a line each part."""
    found = _EQUATION.findall(method.page.lead)
    if len(found) == len(beside.equation):
        found = [found[beside.equation.index(name)]]
    return [line for equation in found for line in _lines(equation)]


def _lines(equation: str) -> list[Markup]:
    """An equation cut at its wide spaces, or whole where one of them is inside a bracket."""
    lines = re.split(r"\\q?quad", equation.strip("$"))
    try:
        return [rendered(f"$${line.strip().rstrip(',')}$$") for line in lines]
    except FormulaError:
        return [rendered(equation)]


def _text(text: str) -> Markup:
    """A docstring's plain text, in which backticks mark code and dollars formulas."""
    pieces = _FORMULA.split(text.replace(" -> ", " → "))
    return safe(
        "".join(
            rendered(piece) if index % 2 else _between(piece) for index, piece in enumerate(pieces)
        )
    )


def _between(text: str) -> Markup:
    """Text between formulas; escaping alone would drop the blanks at its ends."""
    left, right = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return safe(f"{left and ' '}{with_code(text.strip())}{right and ' '}")
