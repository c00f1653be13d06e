"""Read a YAML file into plain data, in one pass that knows the line of every key.

The reader builds dictionaries, lists, strings, integers and booleans from the parser's events.
It is stricter than YAML: duplicate keys, anchors, aliases, tags and several documents are
refused, and so is every unquoted value that some YAML reader would turn into something else
than it looks like. Faults are reported, not raised, and reading goes on where it can.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import yaml
from yaml import CSafeLoader
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from .document import Document, Mark, mark_of
from .findings import Finding
from .slips import TYPOGRAPHIC, Slip, explained, mended, without_conflicts

MAX_BYTES = 50_000_000
MAX_DEPTH = 32
MAX_SLIPS = 20  # that are mended, to show what else is wrong

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
# What YAML 1.1 or 1.2 reads as a number, a date, a truth value or nothing, unless quoted.
_RETYPED = re.compile(
    r"""(?:
      [-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?     # 2106.09685
    | [-+]?\.[0-9_]+(?:[eE][-+]?[0-9]+)?
    | [-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    | [-+]?0[bB][01_]+ | [-+]?0[oO]?[0-7_]+ | [-+]?0[xX][0-9a-fA-F_]+ | [-+]?[0-9][0-9_]*
    | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?       # 12:30:45, sexagesimal
    | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\ \t].*)?          # a date
    | [yYnN] | yes|Yes|YES|no|No|NO | True|TRUE|False|FALSE | on|On|ON|off|Off|OFF
    | ~ | null|Null|NULL | = | <<
    )\Z""",
    re.VERBOSE,
)
_MAY_BE_RETYPED = frozenset("0123456789+-.yYnNtTfFoO~=<")
# Letters and marks that print nothing, though Unicode calls them printable.
_BLANKS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


class _UnreadableError(Exception):
    """Reading cannot go on."""


def parse(raw: bytes, name: str) -> Document:
    """Read the content of a file that findings call `name`."""
    document = Document(name)
    try:
        text = _checked_text(_decoded(raw, document), document)
        document.first_line = text.partition("\n")[0]
        text, conflicts = without_conflicts(text)
        for slip in conflicts:
            _report(document, "S002", Mark(slip.line, slip.column), slip.message)
        _read(text, document)
    except _UnreadableError:
        document.data = None
    return document


def _read(text: str, document: Document) -> None:
    """Read the text, or where it has slips what was meant by it; every slip is reported.

    Raises _UnreadableError where one cannot be mended, or there are too many.
    """
    told = len(document.findings)
    for _ in range(MAX_SLIPS):
        try:
            return _Reader(text, document).read()
        except yaml.MarkedYAMLError as error:
            slip = explained(error, text)
        except yaml.YAMLError:
            slip = Slip(1, 1, "holds what no YAML file may hold")
        del document.findings[told:]
        document.data = None
        document.marks.clear()
        document.dropped.clear()
        _report(document, "S002", Mark(slip.line, slip.column), slip.message)
        told += 1
        better = mended(text, slip)
        if better is None:
            break
        text = better
    raise _UnreadableError


def _report(document: Document, code: str, mark: Mark, message: str) -> None:
    document.findings.append(Finding(code, document.path, *mark, "", "", message))


def _decoded(raw: bytes, document: Document) -> str:
    if len(raw) > MAX_BYTES:
        _report(document, "S003", Mark(1, 1), f"the file is larger than {MAX_BYTES:,} bytes")
        raise _UnreadableError
    if raw.startswith(b"\xef\xbb\xbf"):
        _report(document, "S001", Mark(1, 1), "starts with a byte-order mark; save without it")
        raw = raw[3:]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line_start = raw.rfind(b"\n", 0, error.start) + 1
        column = len(raw[line_start : error.start].decode("utf-8")) + 1
        place = Mark(raw.count(b"\n", 0, error.start) + 1, column)
        _report(document, "S001", place, f"byte 0x{raw[error.start]:02x} is not UTF-8")
        raise _UnreadableError from None


def _checked_text(text: str, document: Document) -> str:
    """Report invisible characters and decomposed text, and give the text without them."""
    text = text.replace("\r\n", "\n")
    if text.replace("\n", "").isprintable() and not _BLANKS.search(text):
        clean = text
    else:
        clean = "\n".join(
            _checked_line(line, number, document) for number, line in enumerate(text.split("\n"), 1)
        )
    if unicodedata.is_normalized("NFC", clean):
        return clean
    lines = clean.split("\n")
    for i, line in enumerate(lines):
        composed = unicodedata.normalize("NFC", line)
        if composed != line:
            column = next(
                (j for j, (a, b) in enumerate(zip(line, composed, strict=False)) if a != b),
                min(len(line), len(composed)),
            )
            _report(document, "S007", Mark(i + 1, column + 1), _decomposed(line, column))
            lines[i] = composed
    return "\n".join(lines)


def _checked_line(line: str, number: int, document: Document) -> str:
    place = invisible(line)
    if place is None:
        return line
    _report(document, "S006", Mark(number, place + 1), _unseen(line[place]))
    return "".join(
        char if char.isprintable() and not _BLANKS.match(char) else _stand_in(char) for char in line
    )


def invisible(text: str) -> int | None:
    """The index of the first character that a reader cannot see, or None."""
    if text.isprintable() and (text.isascii() or not _BLANKS.search(text)):
        return None
    return next(i for i, c in enumerate(text) if not c.isprintable() or _BLANKS.match(c))


def _stand_in(char: str) -> str:
    # Blanks stay blanks, so that the structure survives; the rest stays one character wide.
    return " " if char.isspace() else "\ufffd"


def would_be_retyped(value: str) -> bool:
    """Whether some YAML reader takes the unquoted text for something else than text."""
    return value[:1] in _MAY_BE_RETYPED and bool(_RETYPED.match(value))


def _unseen(char: str) -> str:
    name = unicodedata.name(char, "a control character").lower()
    return f"holds U+{ord(char):04X} ({name}), which a reader cannot see; remove it"


def _decomposed(text: str, place: int) -> str:
    composed = unicodedata.normalize("NFC", text)[place : place + 1]
    return f"is not in Unicode normal form C near '{composed}'; type the composed character"


class _Reader:
    """Turns the parser's events into data and marks."""

    def __init__(self, text: str, document: Document) -> None:
        self.event = CSafeLoader(text).get_event
        self.document = document
        self.depth = 0
        self.escapes = "\\" in text

    def read(self) -> None:
        documents = 0
        while event := self.event():
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.report("S005", event, "a second document starts here; keep one")
                    raise _UnreadableError
                if event.tags or event.version:
                    self.report("S004", event, "has a YAML directive; remove it")
                self.document.data = self.value(self.event())

    def report(self, code: str, event: Event, message: str) -> None:
        _report(self.document, code, mark_of(event.start_mark), message)

    def value(self, event: Event) -> Any:
        if isinstance(event, AliasEvent):
            self.report("S004", event, f"alias *{event.anchor}; write the value out")
            return None
        if event.anchor is not None:
            self.report("S004", event, f"anchor &{event.anchor}; remove it")
        if event.tag is not None:
            self.report("S004", event, f"tag {event.tag}; remove it")
        if isinstance(event, ScalarEvent):
            return self.scalar(event)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.report("S003", event, f"is nested more than {MAX_DEPTH} levels deep")
            raise _UnreadableError
        value = self.mapping() if isinstance(event, MappingStartEvent) else self.sequence(event)
        self.depth -= 1
        return value

    def mapping(self) -> dict[str, Any]:
        data: dict[str, Any] = {}
        marks, own = self.document.marks, id(data)
        while not isinstance(event := self.event(), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self.report("S002", event, "a key must be plain text")
                raise _UnreadableError
            if event.anchor is not None or event.tag is not None:
                self.report("S004", event, "a key has an anchor or a tag; remove it")
            if self.escapes and event.style == '"':
                self.check_escapes(event)
            key = event.value
            value = self.value(self.event())
            if key in data:
                first = mark_of(marks[own, key]).line
                self.report("S008", event, f"'{key}' is given twice, first on line {first}")
                self.document.dropped.append(value)
                continue
            data[key] = value
            marks[own, key] = event.start_mark
        return data

    def sequence(self, start: SequenceStartEvent) -> list[Any]:
        data: list[Any] = []
        marks, own = self.document.marks, id(data)
        while not isinstance(event := self.event(), SequenceEndEvent):
            marks[own, len(data)] = event.start_mark
            data.append(self.value(event))
        return data

    def scalar(self, event: ScalarEvent) -> str | int | bool | None:
        value = event.value
        if event.style:
            if self.escapes and event.style == '"':
                self.check_escapes(event)
            return value
        if not value:
            self.report("S009", event, "has no value; give one or remove the key")
            return None
        if value[0] in TYPOGRAPHIC:
            message = f"{value[0]} is no quotation mark to YAML; write the text in straight quotes"
            self.report("S002", event, message)
        if value[0] not in _MAY_BE_RETYPED:
            return value
        if value in ("true", "false"):
            return value == "true"
        if _INTEGER.match(value) and len(value) <= 18:
            return int(value)
        if _RETYPED.match(value):
            message = f'unquoted {value} is not read as text; write it in quotes: "{value}"'
            self.report("S009", event, message)
        return value

    def check_escapes(self, event: ScalarEvent) -> None:
        """A double-quoted scalar can hide by an escape what the text itself may not hold."""
        value = event.value
        place = invisible(value)
        if place is not None:
            self.report("S006", event, _unseen(value[place]))
        elif not unicodedata.is_normalized("NFC", value):
            self.report("S007", event, _decomposed(value, 0))
