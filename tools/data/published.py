"""Counts of parameters that papers and libraries print, beside those of this repository's code."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from .committed import CommittedError, first_fault

PUBLISHED = Path("reference_impls") / "published_counts.json"
UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}
Verdict = Literal["equal", "cut off", "differs"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Architecture(_Model):
    """`config` are the arguments of transformers' `AutoConfig.for_model`."""

    label: str
    config: dict[str, object]


class Source(_Model):
    """Where a number is printed: a paper of the catalog, or a citation with its address."""

    paper: str = ""
    citation: str = ""
    url: str = ""
    where: str = ""

    @model_validator(mode="after")
    def _one(self) -> Source:
        if bool(self.paper) == bool(self.citation and self.url):
            raise ValueError("a source is a paper of the catalog, or a citation with a url")
        return self


class Adjusted(_Model):
    """Our count where the source counts something else: `terms` times what they name are added."""

    by: str
    terms: dict[str, int]
    value: int


class Share(_Model):
    """What a printed percentage is a share of; `added`: of that and the counted parameters."""

    what: str
    value: int
    added: bool = False


class Published(_Model):
    """One printed count. `ours` is what the method's closed form gives for the same setting."""

    method: str
    architecture: Architecture
    settings: dict[str, object] = {}
    counted: Literal["trained", "stored"] = "trained"
    printed: str
    source: Source
    ours: int
    adjusted: Adjusted | None = None
    share: Share | None = None
    note: str = ""

    @property
    def compared(self) -> int:
        """The count that is compared with the printed one."""
        return self.adjusted.value if self.adjusted else self.ours

    @property
    def verdict(self) -> Verdict:
        return verdict(self.printed, self.compared, self.share)

    @model_validator(mode="after")
    def _explained(self) -> Published:
        if self.verdict == "differs" and not self.note:
            raise ValueError("a count that differs needs a note that says why")
        return self


class PublishedError(CommittedError):
    """The file does not hold counts; the message is one line and names it."""


_FILE = TypeAdapter(tuple[Published, ...])


def read_published(root: Path) -> dict[str, tuple[Published, ...]]:
    """The printed counts of every method that has any, by its name. Raises PublishedError."""
    path = root / PUBLISHED
    if not path.is_file():
        return {}
    try:
        found = _FILE.validate_json(path.read_bytes())
    except ValidationError as error:
        raise PublishedError(f"{PUBLISHED.as_posix()}: {first_fault(error)}") from None
    by_method: dict[str, list[Published]] = {}
    for entry in found:
        by_method.setdefault(entry.method, []).append(entry)
    return {name: tuple(entries) for name, entries in by_method.items()}


def verdict(printed: str, count: int, share: Share | None = None) -> Verdict:
    """How a count compares with a printed number, in that number's unit and at its last digit.

    "equal": within half a unit of the last printed digit, so that rounding gives the print; "cut
    off": the print is what remains when the further digits are dropped; else "differs".
    Raises ValueError where `printed` is no number that this can read.
    """
    number, step, unit = read_printed(printed)
    if unit == "%":
        if share is None:
            raise ValueError(f"'{printed}' is a share, but nothing says of what")
        exact = Fraction(100 * count, share.value + (count if share.added else 0))
    else:
        exact = Fraction(count, UNITS[unit])
    if abs(exact - number) <= step / 2:
        return "equal"
    return "cut off" if number <= exact < number + step else "differs"


def read_printed(printed: str) -> tuple[Fraction, Fraction, str]:
    """The number, one unit of its last digit, and the unit after it. Raises ValueError."""
    match = re.fullmatch(r"(\d+|\d{1,3}(?:,\d{3})+)(?:\.(\d+))?\s?([KMB%]?)", printed)
    if not match:
        raise ValueError(f"'{printed}' is not a number with one of the units K, M, B and %")
    whole, digits, unit = match[1].replace(",", ""), match[2] or "", match[3]
    return Fraction(int(whole + digits), 10 ** len(digits)), Fraction(1, 10 ** len(digits)), unit
