"""Scores in one schema: measured here, measured by a library's suite, printed by a paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from .committed import CommittedError, first_fault
from .declared import files, read
from .published import UNITS, Source, read_printed

FILE = "printed.toml"
SUITES = Path("reference_impls") / "real" / "suites"
Kind = Literal["measured", "suite", "printed"]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Score:
    """How well a method does on a model and data by a metric, and who says so.

    `method` is one of ours, or empty; `label` what the source calls it. `value` is in the metric's
    own unit, a share in percent; `shown` is how it is written, what is printed letter by letter.
    `low` and `high`: the seeds'. `margin`: half the interval in which 95 of 100 tests of this size
    would have the score. `step`: the percentage of full fine-tuning's that one takes; `seconds` of
    training; `stored` and `peak` in bytes. `source`: none of what was measured here. `version`: of
    the code that made it, or what was read.
    """

    kind: Kind
    method: str
    label: str
    model: str
    data: str
    metric: str
    value: float
    shown: str
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    seeds: int | None = None
    settings: str = ""
    rate: float | None = None
    trained: int | None = None
    stored: int | None = None
    step: float | None = None
    seconds: float | None = None
    peak: int | None = None
    source: Source | None = None
    version: str = ""

    @property
    def where(self) -> tuple[str, str, str]:
        """What has to be the same for two scores to be compared."""
        return self.model, self.data, self.metric


class Board(_Model):
    """What the runs of a suite have in common, and what its readers have to know."""

    model: str
    data: str
    metric: str
    percent: bool
    texts: Count | None = None
    card: str
    protocol: str


class SuiteRun(_Model):
    """One run: a score as the suite has it, trained numbers, bytes on disk and at the peak."""

    board: str
    run: str
    label: str
    score: Number
    rate: Number | None
    trained: Count
    stored: Count
    seconds: Number
    peak: Count
    date: str
    version: str


class Suite(_Model):
    """The runs that a library publishes, at one commit of its repository."""

    title: str
    url: str = Field(pattern="^https://")
    commit: str = Field(pattern="^[0-9a-f]{40}$")
    license: str
    boards: dict[str, Board]
    runs: Annotated[tuple[SuiteRun, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _known(self) -> Suite:
        for run in self.runs:
            if run.board not in self.boards:
                raise ValueError(f"run '{run.run}' is of board '{run.board}', which is not there")
        return self

    def scores(self, claimed: dict[str, str]) -> Iterator[Score]:
        """Its runs as scores; `claimed`: our methods that runs are of, by the runs' names."""
        for run in self.runs:
            board = self.boards[run.board]
            value = 100 * run.score if board.percent else run.score
            yield Score(
                kind="suite",
                method=claimed.get(run.run, ""),
                value=value,
                shown=f"{value:.1f}" if board.percent else f"{value:.3f}",
                margin=interval(run.score, board.texts) if board.texts else None,
                seeds=1,
                source=Source(citation=self.title, url=self.url, where=run.board),
                **board.model_dump(include={"model", "data", "metric"}),
                **run.model_dump(exclude={"board", "run", "score", "date"}),
            )


class Value(_Model):
    """A printed number that is not by the metric of its table."""

    printed: str
    metric: str


class Table(_Model):
    """A row of a printed table: a method's scores on several data.

    `seen`: what was read, the paper as a page or a file at a commit. `label`: what the table calls
    the method. `trained` is as printed, such as "0.3M"; `seeds` how many runs a number is of.
    """

    paper: str = ""
    citation: str = ""
    url: str = ""
    where: str
    seen: str = Field(pattern="^https://")
    model: str
    label: str
    settings: str = ""
    trained: str = ""
    seeds: Count | None = None
    metric: str
    split: str = ""
    scores: Annotated[dict[str, str | Value], Field(min_length=1)]

    @model_validator(mode="after")
    def _readable(self) -> Table:
        try:
            _ = self.source
        except ValidationError as error:
            raise ValueError(first_fault(error)) from None
        for given in self.scores.values():
            read_score(given if isinstance(given, str) else given.printed)
        _trained(self.trained)
        return self

    @cached_property
    def source(self) -> Source:
        return Source(paper=self.paper, citation=self.citation, url=self.url, where=self.where)

    def rows(self, method: str) -> Iterator[Score]:
        """Its scores."""
        same = {
            "kind": "printed",
            "method": method,
            "label": self.label,
            "model": self.model,
            "seeds": self.seeds,
            "settings": self.settings,
            "trained": _trained(self.trained),
            "source": self.source,
            "version": self.seen,
        }
        for data, given in self.scores.items():
            plain = isinstance(given, str)
            shown = given if plain else given.printed
            value, spread = read_score(shown)
            yield Score(
                data=f"{data}, {self.split}" if self.split else data,
                metric=self.metric if plain else given.metric,
                value=value,
                shown=shown,
                low=None if spread is None else value - spread,
                high=None if spread is None else value + spread,
                **same,
            )


class Printed(_Model):
    """What papers print of a method."""

    table: Annotated[tuple[Table, ...], Field(min_length=1)]


_SUITE = TypeAdapter(Suite)


def interval(share: float, texts: int) -> float:
    """Half of it, in percent: 95 of 100 tests of so many texts have the share in it."""
    return 196 * (share * (1 - share) / texts) ** 0.5


def read_score(printed: str) -> tuple[float, float | None]:
    """'95.1 ± 0.2' as (95.1, 0.2). Raises ValueError."""
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)(?: ± (\d+(?:\.\d+)?))?", printed)
    if not match:
        raise ValueError(f"'{printed}' is not a number, or one with its spread as in '95.1 ± 0.2'")
    return float(match[1]), float(match[2]) if match[2] else None


def _trained(printed: str) -> int | None:
    """A printed count; None where there is none, or it is a share."""
    if not printed:
        return None
    number, _, unit = read_printed(printed)
    return None if unit == "%" else int(number * UNITS[unit])


def read_tables(root: Path) -> dict[str, tuple[Table, ...]]:
    """The printed tables of every method that has any. Raises DeclaredError."""
    return {path.parent.name: read(path, root, Printed).table for path in files(root, FILE)}


def read_suites(root: Path) -> tuple[Suite, ...]:
    """What libraries publish of their own runs. Raises CommittedError."""
    found = []
    for path in sorted((root / SUITES).glob("*.json")):
        try:
            found.append(_SUITE.validate_json(path.read_bytes()))
        except ValidationError as error:
            where = path.relative_to(root).as_posix()
            raise CommittedError(f"{where}: {first_fault(error)}") from None
    return tuple(found)


def disagreements(scores: Iterable[Score]) -> list[list[Score]]:
    """The scores of one method on the same model and data that differ, the widest apart first."""

    def same(score: Score) -> tuple[str, ...]:
        return score.method, *score.where

    ordered = sorted((s for s in scores if s.method), key=same)
    found = [list(group) for _, group in groupby(ordered, same)]
    apart = [group for group in found if len({score.value for score in group}) > 1]
    return sorted(apart, key=lambda g: min(s.value for s in g) - max(s.value for s in g))
