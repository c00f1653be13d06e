"""Findings, and the three ways to print them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

ANNOTATIONS = 10  # GitHub shows this many errors a step
LONGEST = 600  # characters of a finding; what is wrong with a longer value shows in its start


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, where it is, and how to put it right.

    `line` and `column` count from 1. `entry` is the id of the paper, node or venue, `field` the
    key inside it; both may be empty. `suggestion` is the value to write instead, where one is near.
    """

    code: str
    path: str
    line: int
    column: int
    entry: str
    field: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        where = f"{self.entry}.{self.field}" if self.entry and self.field else self.entry
        where = where or self.field
        hint = f"; did you mean '{self.suggestion}'?" if self.suggestion else ""
        colon = ": " if where else ""
        place = f"{self.path}:{self.line}:{self.column}"
        return _visible(f"{place} {self.code} {where}{colon}{self.message}{hint}")


def _visible(text: str) -> str:
    """The text on one line that does nothing to a terminal, cut where it is very long."""
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def nearest(value: str, choices: Iterable[str]) -> str | None:
    """The choice that `value` is most likely a slip of, if any is near."""
    if len(value) > LONGEST:
        return None
    names = {choice.casefold(): choice for choice in choices}
    slip = value.casefold()
    close = get_close_matches(slip, names, n=5, cutoff=0.65)
    # Swapped letters are the commonest slip, and the matcher does not know them.
    close.sort(key=lambda name: sorted(name) != sorted(slip))
    return names[close[0]] if close else None


def as_text(findings: list[Finding], summary: str) -> str:
    return "\n".join([*map(str, findings), summary]) + "\n"


def as_json(findings: list[Finding], summary: str) -> str:
    report = {"summary": summary, "findings": [asdict(finding) for finding in findings]}
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def as_github(findings: list[Finding], summary: str) -> str:
    """Workflow commands for the first findings; the others go to the step's summary, if any."""
    lines = [_annotation(finding) for finding in findings[:ANNOTATIONS]]
    rest = findings[ANNOTATIONS:]
    step_summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if rest and step_summary:
        with Path(step_summary).open("a", encoding="utf-8") as file:
            file.write(_markdown(rest))
        lines.append(f"{len(rest)} more in the step's summary")
    else:
        lines.extend(map(str, rest))
    return "\n".join([*lines, summary]) + "\n"


def _annotation(finding: Finding) -> str:
    properties = {
        "file": finding.path,
        "line": finding.line,
        "col": finding.column,
        "title": finding.code,
    }
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    _, message = str(finding).split(" ", 1)
    return f"::error {listed}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _markdown(findings: list[Finding]) -> str:
    fence = "~~~~~~~~"
    return "\n".join([f"{len(findings)} more findings", "", fence, *map(str, findings), fence, ""])
