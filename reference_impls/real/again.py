"""Do some of the runs that are kept once more, and hold losses and scores against each other."""

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
from .training import AGREES, Run

# Of a score. With other kernels (ATEN_CPU_CAPABILITY=default MKL_CBWR=AVX2), which round otherwise,
# sixteen runs moved by 0.003 at most; on another make of processor seven of eight by 0.002. The
# eighth, prompt tuning, by 0.08: where seeds fall apart, rounding does as much.
TOLERANCE = 0.02


class Repeated(NamedTuple):
    """A run, what it left then, and now, or why there is nothing; how far scores may differ."""

    run: Run
    then: Row
    now: Row | str
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the first steps are the same, and the score is as near as it can be asked to."""
        if isinstance(self.now, str):
            return False
        loss, score = (abs(self.now[key] - self.then[key]) for key in ("beginning", "score"))
        return loss <= AGREES and score <= self.tolerance

    def __str__(self) -> str:
        if isinstance(self.now, str):
            return f"{self.run.name}: {self.now}"
        score, loss = (f"{self.then[key]}, now {self.now[key]}" for key in ("score", "beginning"))
        return f"{self.run.name}: {score} (within {self.tolerance:g}); loss {loss}"


def kept(plan: Plan, results: Results) -> Iterator[tuple[Run, Row, float]]:
    """Every run of the plan that has a score, what it left, and how far away another may be.

    That is `TOLERANCE`, or what lies between the scores of its method's seeds, if that is more.
    """
    for task, method, settings in plan.groups():
        rows = [r for r in results.rows(plan, method, task, settings) if "score" in r]
        tests = [r["score"] for r in rows if r["split"] == "test" and not r["control"]]
        spread = max(tests, default=0.0) - min(tests, default=0.0)
        for row in rows:
            run = run_of(row, method, plan.model, task, settings)
            yield run, row, max(TOLERANCE, round(spread, 4))


def repeat(
    path: Path, folder: Path | None, engine: Local | Ray, number: int, seed: int
) -> Iterator[Repeated]:
    """Draw so many runs of a plan, and do them again.

    Raises:
        ValueError: the plan is none, or has no run yet.
    """
    plan = plans.read(path)
    known = {run: (row, tolerance) for run, row, tolerance in kept(plan, Results(folder))}
    if not known:
        raise ValueError(f"{path}: no run of this plan is kept")
    drawn = random.Random(seed).sample(sorted(known), min(number, len(known)))
    for run in drawn:
        engine.submit(partial(outcome, budget=plan.budget(run.task)), run)
    left = len(drawn)
    while left:
        for run, found in engine.finished(1.0):
            left -= 1
            then, tolerance = known[run]
            yield Repeated(run, then, _scored(found), tolerance)


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


def _scored(row: Row | BaseException) -> Row | str:
    """A row with a score, or why it has none."""
    if isinstance(row, BaseException):
        return f"{type(row).__name__}: {row}"
    return row if "score" in row else str(row.get("diverged") or row.get("refused"))
