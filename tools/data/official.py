"""What a method's official code does, declared in `official.toml` beside the method.

`[[code]]` names the repositories and the commit that was read, `[[number]]` gives each number that
the docstring takes from a file its line there, `[settings]` compares the recipe of the training
with ours, and `[[start]]` the first values of what is trained. A quoted line is one line, of the
code's authors and under their license.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator

from .declared import files, read
from .printed_numbers import printed

FILE = "official.toml"
UNKNOWN = "not known"
SAME = ("equal", "none")
Words = Annotated[str, StringConstraints(pattern=r"^\S([^\n]*\S)?$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\n]+$")]
_SOURCE = re.compile(r"\[[^\[\]]+\]$")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Code(_Model):
    """A repository on GitHub, and the commit of it that was read."""

    repository: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    commit: Annotated[str, StringConstraints(pattern="^[0-9a-f]{40}$")]

    @property
    def url(self) -> str:
        return f"https://github.com/{self.repository}/tree/{self.commit}"


def _all(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


class Number(_Model):
    """What the docstring says, and the line that it has from a file of the official code.

    says: the words around it, of the docstring or of the settings; several where it is said twice.
    file, line: a file and its line; or a pattern of files, with the line of each in `lines`.
    pattern: finds the number in a line, with one group around it.
    value: the number; of several files their smallest and largest, or all there are.
    of: whose number it is, where it is of no such file: a section of the paper, or in words.
    """

    says: Annotated[tuple[Words, ...], BeforeValidator(_all)]
    file: str = ""
    line: Line | None = None
    lines: dict[str, Line] = {}
    pattern: str = ""
    value: Annotated[tuple[float, ...], BeforeValidator(_all)] = ()
    of: str = ""

    @model_validator(mode="after")
    def _of_a_file_or_not(self) -> Number:
        for words in self.says:
            if not printed(words):
                raise ValueError(f"says '{words}', which has no number in it")
        given = self.model_fields_set & {"file", "line", "lines", "pattern", "value"}
        if self.of and given:
            raise ValueError(f"of stands in place of a file: leave out {', '.join(sorted(given))}")
        if not self.of:
            self._check_lines()
        return self

    def _check_lines(self) -> None:
        if not (self.file and self.pattern and self.value):
            raise ValueError("needs file, line, pattern and value; or of, where it is of no file")
        several = "*" in self.file
        if several != bool(self.lines) or several == (self.line is not None):
            raise ValueError("a file has a line; a pattern of files has lines, one for each file")
        if odd := [name for name in self.lines if not fnmatchcase(name, self.file)]:
            raise ValueError(f"'{odd[0]}' is not one of {self.file}")
        try:
            pattern = re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from None
        if pattern.groups != 1:
            raise ValueError("pattern needs one group, around the number")
        lines = self.lines or {self.file: self.line or ""}
        found = sorted({_number(pattern, name, line) for name, line in lines.items()})
        if sorted(self.value) not in (found, [found[0], found[-1]]):
            raise ValueError(f"value is {list(self.value)}, but the lines have {found}")
        for words in self.says:
            if {*self.value} != {*printed(words)}:
                raise ValueError(f"says '{words}', but value is {list(self.value)}")


def _number(pattern: re.Pattern[str], file: str, line: str) -> float:
    match = pattern.search(line)
    if not match:
        raise ValueError(f"pattern finds nothing in the line of {file}")
    try:
        return float(match[1].replace(",", ""))
    except ValueError:
        raise ValueError(f"pattern finds '{match[1]}' in {file}, which is no number") from None


class Setting(_Model):
    """One thing that recipes of training differ in: in the official code, and here."""

    official: Words
    here: Words

    @model_validator(mode="before")
    @classmethod
    def _in_a_word(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in SAME:
                raise ValueError("is 'equal', 'none' (neither has it), or { official, here }")
            return {"official": value, "here": value}
        return value

    @model_validator(mode="after")
    def _with_its_source(self) -> Setting:
        if self.official == self.here and self.official not in SAME:
            raise ValueError("is the same in both: say 'equal'")
        if "TODO" in self.official + self.here:
            raise ValueError("still says TODO")
        if self.official not in (*SAME, UNKNOWN) and not _SOURCE.search(self.official):
            raise ValueError(f"official ends with its source in brackets, or is '{UNKNOWN}'")
        return self

    @property
    def differs(self) -> bool:
        return self.official not in SAME


class Settings(_Model):
    """The checklist; a method answers all of it."""

    start: Setting
    schedule: Setting
    warm_up: Setting
    decay: Setting
    clipping: Setting
    dropout: Setting
    label_smoothing: Setting
    loss: Setting
    targets: Setting

    def items(self) -> list[tuple[str, Setting]]:
        return [(key, getattr(self, key)) for key in type(self).model_fields]


class Start(_Model):
    """The first values of a trained tensor in the official model as its script builds it.

    ours, official: its names, ours as a pattern. law: what it is drawn from. mean, std, largest:
    those of so many `numbers`, drawn for `d_in` and `d_out`. settings: only with these options.
    how: how all that was obtained. `ours_law` and `differs`: ours, and why, where it is another.
    """

    ours: Words
    official: Words
    law: Words
    how: Words
    mean: float | None = None
    std: float | None = None
    largest: float | None = None
    numbers: int = 0
    d_in: int = 0
    d_out: int = 0
    settings: dict[str, Any] | None = None
    ours_law: str = ""
    differs: str = ""


class Official(_Model):
    """One method's `official.toml`; `unavailable` says why there is no code, where so."""

    code: tuple[Code, ...] = ()
    unavailable: str = ""
    settings: Settings
    number: tuple[Number, ...] = ()
    start: tuple[Start, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_repository(cls, value: dict[str, Any]) -> dict[str, Any]:
        code = value.get("code")
        return {**value, "code": [code]} if isinstance(code, dict) else value

    @model_validator(mode="after")
    def _code_or_why_not(self) -> Official:
        if bool(self.code) == bool(self.unavailable):
            raise ValueError("needs [code] with repository and commit, or unavailable = why")
        if any(start.differs for start in self.start) and not self.settings.start.differs:
            raise ValueError("settings.start is the same in both, but a [[start]] differs")
        return self


def read_officials(root: Path) -> dict[str, Official]:
    """Every such file below `root`/reference_impls, by the method's name. Raises DeclaredError."""
    return {path.parent.name: read(path, root, Official) for path in files(root, FILE)}
