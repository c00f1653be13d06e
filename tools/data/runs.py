"""Committed runs: what a method scored in the lab, and whether its code is still the same."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from .committed import measured
from .digests import unchanged

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Backbone(_Model):
    name: str
    sha256: str


class Counts(_Model):
    """Numbers of parameters; the head is in none of the others."""

    trained: int
    stored: int
    head: int
    base: int


class Seed(_Model):
    """One training. Scores are fractions, `curve` and `losses` hold (step, value)."""

    seed: int
    score: Fraction
    random_backbone_score: Fraction
    curve: Annotated[tuple[tuple[int, Fraction], ...], Field(min_length=1)]
    losses: tuple[tuple[int, Number], ...]
    seconds: Number


class Run(_Model):
    """One method on one task, over several seeds. `current` says whether the code is unchanged."""

    method: str = ""
    task: str = ""
    backbone: Backbone
    hyperparameters: dict[str, object]
    steps: int
    batch_size: int
    counts: Counts
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    tolerance: Fraction
    versions: dict[str, str]
    sources: dict[str, str]
    current: bool = True

    @property
    def command(self) -> str:
        """What repeats its first seed."""
        return f"python -m reference_impls train {self.method} --task {self.task} --seed 0"

    @property
    def score(self) -> float:
        return fmean(seed.score for seed in self.seeds)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest score."""
        scores = [seed.score for seed in self.seeds]
        return min(scores), max(scores)

    @property
    def random_score(self) -> float:
        """The mean score from a backbone with random weights."""
        return fmean(seed.random_backbone_score for seed in self.seeds)

    @property
    def seconds(self) -> float:
        return fmean(seed.seconds for seed in self.seeds)

    @property
    def curve(self) -> list[tuple[int, float, float, float]]:
        """(step, mean, lowest, highest) over the seeds, at the steps that all of them have."""
        by_step: dict[int, list[float]] = {}
        for seed in self.seeds:
            for step, score in seed.curve:
                by_step.setdefault(step, []).append(score)
        return [
            (step, fmean(scores), min(scores), max(scores))
            for step, scores in sorted(by_step.items())
            if len(scores) == len(self.seeds)
        ]


_FILE = TypeAdapter(dict[str, Run])


def read_runs(root: Path) -> dict[str, dict[str, Run]]:
    """Every committed run below `root`: task -> method -> run, the task of most methods first.

    Raises CommittedError.
    """
    runs: dict[str, dict[str, Run]] = {}
    for method, by_task in measured(root, "runs", _FILE).items():
        for task, run in by_task.items():
            known = {"method": method, "task": task, "current": unchanged(run.sources, root)}
            runs.setdefault(task, {})[method] = run.model_copy(update=known)
    return dict(sorted(runs.items(), key=lambda item: (-len(item[1]), item[0])))
