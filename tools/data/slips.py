"""Slips that make a file no YAML: what each means, how to mend it, and how to read on without it.

The parser speaks of tokens and contexts, and stops. Here its errors are told in the words of
somebody who edits the file, and what can be read as it was meant is, so that one slip does not hide
the other findings of the file.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml

TYPOGRAPHIC = "“”„‘’«»"  # they look like quotation marks, and are none to YAML
_MARKER = re.compile(r"(?:<{7}|>{7}|\|{7})(?: |$)|={7}$")
_KEY = re.compile(r"(\s*(?:- )*[\w-]+): +(\S.*?)\s*$")


class Slip(NamedTuple):
    """Where it is, counted from 1, and what to do about it."""

    line: int
    column: int
    message: str


def without_conflicts(text: str) -> tuple[str, list[Slip]]:
    """The text with the first side of every unresolved merge, lines where they were."""
    if not re.search(r"^(?:<{7}|>{7}|={7}$)", text, re.MULTILINE):
        return text, []
    slips, lines, kept = [], text.split("\n"), True
    for place, line in enumerate(lines):
        marker = _MARKER.match(line)
        if marker and line.startswith(("<", ">")) and (kept or line.startswith("<")):
            told = "a merge conflict is not resolved: keep one of its two sides, and delete the"
            slips.append(Slip(place + 1, 1, f"{told} lines of '<', '=' and '>'"))
        if marker:
            kept = line.startswith((">", "<"))
        if marker or not kept:
            lines[place] = ""
    return "\n".join(lines), slips


def explained(error: yaml.MarkedYAMLError, text: str) -> Slip:
    """The parser's error in our words."""
    problem, context = str(error.problem or ""), str(error.context or "")
    mark = error.problem_mark or error.context_mark
    place, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.split("\n")
    line = lines[place] if place < len(lines) else ""
    if "quoted scalar" in context and "end of stream" in problem:
        start = error.context_mark
        return Slip(start.line + 1, start.column + 1, "a quotation mark opens and is never closed")
    if "mapping values" in problem:
        if (key := _KEY.match(line)) and column > key.start(2):
            return Slip(
                place + 1, column + 1, f"a colon in a text without quotes; write {_fix(key)}"
            )
        message = (
            "a key where none can stand: does the line above lack its colon or its indentation?"
        )
    elif "cannot start any token" in problem:
        sign = line[column : column + 1]
        message = f"a text without quotes cannot begin with '{sign}'; write it in quotes"
    elif "unknown escape" in problem:
        message = "a backslash in double quotes begins an escape that does not exist; write '\\\\'"
    elif "flow" in context:
        message = "a list or mapping in brackets is not closed, or lacks a comma"
    elif line[:column].rstrip().endswith(("'", '"')) and "expected" in problem:
        message = "text stands behind a closing quotation mark; is one above never closed, or does "
        message += "one inside lack its backslash?"
    elif "block sequence entries" in problem:
        message = "a list cannot begin behind its key; begin it on the next line"
    elif "expected ':'" in problem:
        place = error.context_mark.line if error.context_mark else place
        column, message = 0, "this is neither 'key: value' nor an item of a list"
    elif "expected key" in problem or "'-' indicator" in problem:
        message = "the indentation does not line up with the lines above"
    else:
        message = "this cannot be read; write the text in quotes"
    return Slip(place + 1, column + 1, message)


def mended(text: str, slip: Slip) -> str | None:
    """The text as it was meant, where that is plain: the value of the line in quotes."""
    lines = text.split("\n")
    line = lines[slip.line - 1] if slip.line <= len(lines) else ""
    key = _KEY.match(line)
    if key is None or key[2][0] in "\"'[{|>" or slip.column - 1 < key.start(2):
        return None
    lines[slip.line - 1] = _fix(key, with_indent=True)
    return "\n".join(lines)


def _fix(key: re.Match[str], *, with_indent: bool = False) -> str:
    value = key[2].strip(TYPOGRAPHIC).replace("\\", "\\\\").replace('"', '\\"')
    return f'{key[1] if with_indent else key[1].strip(" -")}: "{value}"'
