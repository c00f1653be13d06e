"""What libraries do otherwise: each difference told once, with code that shows it.

`differences.toml` beside a method tells them by hand. Which of the measured rows that deviate
(`data.parity`) a difference is about, it says by their notes; versions, models and figures come
from those rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .committed import CommittedError
from .declared import files, read
from .parity import Comparison

FILE = "differences.toml"
Severity = Literal["bug", "deviation", "default", "layout", "scope"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # the most severe first
FIGURES = ("smallest", "largest", "counted", "models")  # what braces in an effect may name
_NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_ISSUE = r"^https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/[0-9]+$"
_FIGURE = re.compile(r"\{(\w*)\}")
# a version of a model ("Llama 4", "GPT-2") and "8-bit" are words
_IN_WORDS = re.compile(r"\b[A-Z][\w.-]* v?\d[\d.]*\b|\w+-\d\S*|\d+-\w+|`[^`]*`")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_Text = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Difference(_Model):
    """One thing that a library does otherwise than the method beside which it is told.

    `name` is its anchor on the page. `severity`: a "bug" is wrong by the library's own intention,
    or an error on what it should run; a "deviation" is from the paper; of a "default" only the
    setting differs, and can be set; a "layout" is the same function, stored or counted in another
    way; a "scope" is about what one of the two runs on and the other refuses, or says it cannot do.

    `effect` tells it in words, backticks mark code, and `FIGURES` in braces are put in. `notes` are
    those of the rows that it explains; `compared`, where given, limits it to these comparisons, and
    `methods` are others that have such rows. `reproduce` is a program that prints the line
    `prints`, unless `processor` names another instruction set than torch does
    (`torch.backends.cpu.get_cpu_capability`); `upstream` the address of an issue about it, if
    there is one.
    """

    name: Annotated[str, Field(pattern=_NAME)]
    library: _Text
    title: _Text
    severity: Severity
    effect: _Text
    notes: Annotated[tuple[_Text, ...], Field(min_length=1)]
    compared: tuple[_Text, ...] = ()
    methods: tuple[_Text, ...] = ()
    reproduce: _Text
    prints: _Text
    processor: str = ""
    upstream: Annotated[str, Field(pattern=rf"{_ISSUE}|^$")] = ""

    @field_validator("effect")
    @classmethod
    def _names_figures(cls, effect: str) -> str:
        for name in _FIGURE.findall(effect):
            if name not in FIGURES:
                raise ValueError(f"has no figure '{{{name}}}'; these are: {', '.join(FIGURES)}")
        return effect

    @field_validator("prints")
    @classmethod
    def _is_a_line(cls, prints: str) -> str:
        if prints.split("\n") != [prints.strip()]:
            raise ValueError("is one line, without blanks around it")
        return prints

    def explains(self, comparison: Comparison) -> bool:
        return (
            comparison.outcome == "deviates"
            and comparison.note in self.notes
            and (not self.compared or comparison.compared in self.compared)
        )

    def unchecked(self) -> list[str]:
        """Numbers in the effect's own words that neither notes nor the program have."""
        words = _IN_WORDS.sub("", _FIGURE.sub("", self.effect))
        known = " ".join((*self.notes, self.reproduce, self.prints))
        return [n for n in _NUMBER.findall(words) if n not in _NUMBER.findall(known)]


class Differences(_Model):
    """The file beside one method."""

    difference: Annotated[tuple[Difference, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Told:
    """A difference, the method that it is told beside, and the rows that it explains."""

    difference: Difference
    home: str
    rows: tuple[tuple[str, Comparison], ...]

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Those that have such a row, the one that it is told beside first."""
        return tuple(dict.fromkeys(method for method, _ in self.rows))

    @cached_property
    def version(self) -> str:
        """Of the library; of several the rows' own order."""
        own = (row.version for _, row in self.rows if row.library == self.difference.library)
        return ", ".join(dict.fromkeys(own))

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Each once, although some rows call GPT-2 what others call gpt2."""
        names = [name for _, row in self.rows for name in row.models]
        names.sort(key=lambda name: (name.islower(), name))
        found: dict[str, str] = {}
        for name in names:
            found.setdefault(name.lower().replace("-", ""), name)
        return tuple(found.values())

    def figures(self) -> dict[str, str]:
        """What `FIGURES` stand for, as far as the rows have them."""
        found = {"models": str(len(self.models))}
        sizes = [abs(row.difference) for _, row in self.rows if isinstance(row.difference, float)]
        counts = [abs(row.difference) for _, row in self.rows if isinstance(row.difference, int)]
        if sizes:
            found |= {"smallest": f"{min(sizes):.2g}", "largest": f"{max(sizes):.2g}"}
        if counts:
            found["counted"] = f"{max(counts):,}"
        return found

    def effect(self) -> str:
        """Its effect with the figures in it. Raises CommittedError where the rows have none."""
        found = self.figures()
        for name in _FIGURE.findall(self.difference.effect):
            if name not in found:
                message = f"the rows of '{self.difference.name}' have no figure '{name}'"
                raise CommittedError(f"{self.home}/{FILE}: {message}")
        return _FIGURE.sub(lambda match: found[match[1]], self.difference.effect)


def read_differences(root: Path) -> dict[str, tuple[Difference, ...]]:
    """What is told beside each method, by its name. Raises DeclaredError, a CommittedError."""
    return {
        path.parent.name: read(path, root, Differences).difference for path in files(root, FILE)
    }


def tell(
    differences: Mapping[str, Iterable[Difference]], parity: Mapping[str, Iterable[Comparison]]
) -> list[Told]:
    """Every difference with its rows: the most severe first, then by library and title."""
    found = [
        Told(difference, home, rows_of(difference, home, parity))
        for home, own in differences.items()
        for difference in own
    ]
    return sorted(
        found,
        key=lambda told: (
            SEVERITIES.index(told.difference.severity),
            told.difference.library,
            told.difference.title.strip("`").lower(),
        ),
    )


def rows_of(
    difference: Difference, home: str, parity: Mapping[str, Iterable[Comparison]]
) -> tuple[tuple[str, Comparison], ...]:
    """The rows that a difference explains, each with its method."""
    methods = dict.fromkeys((home, *difference.methods))
    return tuple(
        (method, row)
        for method in methods
        for row in parity.get(method, ())
        if difference.explains(row)
    )
