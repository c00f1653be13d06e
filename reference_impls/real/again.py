"""Do some of the runs that are kept once more, and hold the scores against each other."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from . import plan as plans
from .engines import Local, Ray
from .plan import Plan, Row, run_of
from .results import Results
from .sweep import outcome
from .training import Run

# Of a score. With other kernels (ATEN_CPU_CAPABILITY=default MKL_CBWR=AVX2), which round otherwise,
# sixteen runs moved by 0.003 at most, also those whose seeds fall apart.
TOLERANCE = 0.02


class Repeated(NamedTuple):
    """A run, its score then, and its score now, or why it has none."""

    run: Run
    then: float
    now: float | str

    @property
    def holds(self) -> bool:
        return isinstance(self.now, float) and abs(self.now - self.then) <= TOLERANCE

    def __str__(self) -> str:
        return f"{self.run.name}: {self.then}, now {self.now}"


def kept(plan: Plan, results: Results) -> Iterator[tuple[Run, float]]:
    """Every run of the plan that has a score."""
    for task, method, settings in plan.groups():
        for row in results.rows(plan, method, task, settings):
            if "score" in row:
                yield run_of(row, method, plan.model, task, settings), row["score"]


def repeat(
    path: Path, folder: Path | None, engine: Local | Ray, number: int, seed: int
) -> Iterator[Repeated]:
    """Draw so many runs of a plan, and do them again.

    Raises:
        ValueError: the plan is none, or has no run yet.
    """
    plan = plans.read(path)
    known = dict(kept(plan, Results(folder)))
    if not known:
        raise ValueError(f"{path}: no run of this plan is kept")
    drawn = random.Random(seed).sample(sorted(known), min(number, len(known)))
    for run in drawn:
        engine.submit(partial(outcome, budget=plan.budget(run.task)), run)
    left = len(drawn)
    while left:
        for run, row in engine.finished(1.0):
            left -= 1
            yield Repeated(run, known[run], _score(row))


def main(
    path: Path, folder: Path | None, start: Callable[[], Local | Ray], number: int, seed: int
) -> int:
    """Repeat runs, a line each; 1 if one does not hold.

    Raises:
        ValueError: as `repeat`, or the number is none.
    """
    if number < 1:
        raise ValueError(f"--again {number}: at least one is needed")
    engine, status = start(), 0
    try:
        for found in repeat(path, folder, engine, number, seed):
            print(f"{found}{'' if found.holds else ' is too far away'}", flush=True)
            status |= not found.holds
    finally:
        engine.close()
    return status


def _score(row: Row | BaseException) -> float | str:
    if isinstance(row, BaseException):
        return f"{type(row).__name__}: {row}"
    return row["score"] if "score" in row else str(row.get("diverged") or row.get("refused"))
