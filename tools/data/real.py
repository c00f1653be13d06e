"""Runs on real weights and data: how good each method is with the budget that all have."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from .committed import measured
from .digests import unchanged
from .scores import interval

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
BYTES = 4  # of a number that is stored
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(_Model):
    """One training; what it has none of is None. A refused method has one row that says why.

    `processor`: whose `seconds` are; empty where it was not kept.
    """

    lr: Rate | None = None
    seed: int | None = None
    split: str = ""
    control: str = ""
    score: Fraction | None = None
    beginning: float | None = None
    seconds: float | None = None
    processor: str = ""
    trained: int | None = None
    stored: int | None = None
    peak: int | None = None
    diverged: str = ""
    refused: str = ""


class Budget(_Model):
    steps: int
    rows: int
    head_lr: Rate


class Group(_Model):
    """A method, with settings or without, on a task.

    metric: of what its scores are shares. guessing: the score of who does the same with every
    text. texts: how many the test has.
    """

    method: str = ""
    model: str = ""
    current: bool = True
    task: str
    settings: dict[str, object]
    weights: str
    data: str
    budget: Budget
    metric: str
    guessing: Fraction
    texts: int
    runs: Annotated[tuple[Row, ...], Field(min_length=1)]

    @property
    def said(self) -> str:
        """Its settings in words: 'pooling mean'; nothing without any."""
        return ", ".join(f"{name} {value}" for name, value in self.settings.items())

    @property
    def refused(self) -> str:
        """Why the method does not run here; empty where it does."""
        return next((row.refused for row in self.runs if row.refused), "")

    @property
    def tests(self) -> list[Row]:
        """The runs that are scored on the test."""
        return [row for row in self.runs if row.split == "test" and not row.control]

    @property
    def scores(self) -> list[float]:
        """Of the seeds on the test; a run that diverged has 0."""
        return [row.score or 0.0 for row in self.tests]

    @property
    def score(self) -> float:
        return fmean(self.scores)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest score of the seeds."""
        return min(self.scores), max(self.scores)

    @property
    def margin(self) -> float:
        """Half the interval in which 95 of 100 tests of this size would have the score."""
        return interval(self.score, self.texts) / 100

    @property
    def tried(self) -> dict[float, float]:
        """The score on the development split by rate, lowest rate first."""
        rows = [row for row in self.runs if row.split == "dev"]
        return dict(sorted((row.lr or 0.0, row.score or 0.0) for row in rows))

    @property
    def rate(self) -> float:
        """The rate that was chosen."""
        return self.tests[0].lr or 0.0

    @property
    def at_the_end(self) -> bool:
        """No rate beyond the chosen one was tried, so that a better one may be there."""
        return self.rate in (min(self.tried), max(self.tried))

    @property
    def beside(self) -> float:
        """What is lost on the development split where the rate is the worse of its neighbors."""
        rates = list(self.tried)
        at = rates.index(self.rate)
        neighbors = rates[max(at - 1, 0) : at] + rates[at + 1 : at + 2]
        return self.tried[self.rate] - min(self.tried[rate] for rate in neighbors)

    @property
    def cost(self) -> dict[str, float | int | None]:
        """Of a training: mean processor seconds, trained numbers, bytes stored and at the peak."""
        seconds = [row.seconds for row in self.tests if row.seconds is not None]
        first = self.tests[0]
        peaks = [row.peak for row in self.runs if row.peak is not None]
        return {
            "seconds": fmean(seconds) if seconds else None,
            "trained": first.trained,
            "stored": None if first.stored is None else BYTES * first.stored,
            "peak": peaks[0] if peaks else None,
        }

    @property
    def controls(self) -> dict[str, float]:
        """The score by what was taken from the training."""
        return {row.control: row.score or 0.0 for row in self.runs if row.control}


class File(_Model):
    sources: dict[str, str]
    versions: dict[str, str]
    models: dict[str, dict[str, Group]]


_FILE = TypeAdapter(File)


def read_real(root: Path) -> list[Group]:
    """Every group below `root` that has been scored on the test, or was refused.

    Raises CommittedError.
    """
    found = []
    for method, file in measured(root, "real", _FILE).items():
        current = unchanged(file.sources, root)
        for model, groups in file.models.items():
            known = {"method": method, "model": model, "current": current}
            found += [group.model_copy(update=known) for group in groups.values()]
    return [group for group in found if group.tests or group.refused]
