"""Carry out a plan: what is missing, each result kept as soon as it is there."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock
from tqdm import tqdm

from ..measure.processor import processor
from . import plan as plans
from .engines import Local, Ray
from .plan import Plan, Row
from .results import Results
from .training import CONTROLS, Budget, Refused, Run, peak, repeats, row

POLL = 1.0  # seconds until one looks again at what others do
AHEAD = 2  # runs a worker that wait, so that none is idle


class Sweep:
    """One driver. Others may work on the same results: none does what another is at.

    work: from a run and its budget to its row; done by the engine's workers.
    """

    def __init__(
        self, plan: Plan, results: Results, work: Callable[[Run, Budget], Row] | None = None
    ) -> None:
        self.plan, self.results, self.work = plan, results, work or outcome
        self.claims: dict[Run, FileLock] = {}
        self.failed: dict[Run, BaseException] = {}
        self.made = 0

    def left(self) -> list[Run]:
        """What can be run now, by task and method; what follows from it comes later."""
        found = []
        for task, method, settings in self.plan.groups():
            rows = self.results.rows(self.plan, method, task, settings)
            found += self.plan.wanted(method, task, rows, settings)
        return [run for run in found if run not in self.failed]

    def run(self, engine: Local | Ray, *, progress: bool = True) -> None:
        """Until nothing is left.

        A run that fails is told of, and not tried again in this sweep: see `failed`.
        """
        with tqdm(unit="run", disable=not progress, smoothing=0.05) as bar:
            while left := self.left():
                self._submit(left, engine)
                bar.n, bar.total = self.progress()
                bar.refresh()
                if not self.claims:
                    time.sleep(POLL)  # others are at all of it
                for run, result in self._next(engine):
                    self._keep(run, result)
                    bar.set_postfix_str(run.name)

    def progress(self) -> tuple[int, int]:
        """How many runs are there, and how many there will be at least."""
        there = total = 0
        low, high = self.plan.rates
        for task, method, settings in self.plan.groups():
            each = high - low + 1 + len(self.plan.seeds) + 1
            each += len(CONTROLS) if task in self.plan.controls else 0
            rows = self.results.rows(self.plan, method, task, settings)
            left = self.plan.wanted(method, task, rows, settings)
            there += len(rows)
            total += max(each, len(rows) + len(left)) if left else len(rows)
        return there, total

    def _submit(self, left: list[Run], engine: Local | Ray) -> None:
        for run in left:
            if len(self.claims) >= AHEAD * engine.workers:
                return
            if run in self.claims or not (claim := self.results.claim(run)):
                continue
            if self.results.has(self.plan, run):  # it came between the look and the claim
                claim.release()
                continue
            self.claims[run] = claim
            engine.submit(partial(self.work, budget=self.plan.budget(run.task)), run)

    def _next(self, engine: Local | Ray) -> list[tuple[Run, Any]]:
        """Wait for results; nothing can be begun before there are any."""
        found: list[tuple[Run, Any]] = []
        while self.claims and not found:
            found = list(engine.finished(POLL))
        return found

    def _keep(self, run: Run, result: Any) -> None:
        if isinstance(result, BaseException):
            self.failed[run] = result
        else:
            self.made += self.results.add(self.plan, run, result)
        self.claims.pop(run).release()


def engine(name: str, address: str | None, workers: int | None) -> Local | Ray:
    """`local` or `ray`; with as many workers, or one a processor.

    Raises:
        ValueError: fewer than one.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"--workers {workers}: at least one is needed")
    if name == "ray":
        return Ray(address, workers)
    return Local(workers or os.cpu_count() or 1)


def carry_out(
    path: Path, folder: Path | None, start: Callable[[], Local | Ray]
) -> tuple[int, dict[str, str]]:
    """Do what is missing of a plan, see `Results`; how many runs were made, and which failed why.

    Runs that other code made are kept if its first steps are those of the code that is here; of
    which methods they are not, and runs will be made anew, is said first.

    Raises:
        ValueError: the plan is none, or a package is not there.
    """
    sweep = Sweep(plans.read(path), Results(folder))
    methods = dict.fromkeys(method for method, _ in sweep.plan.contenders)
    if moved := [method for method in methods if not sweep.results.renew(method, repeats, peak)]:
        print(f"first steps are not what they were: {', '.join(moved)}: made anew", file=sys.stderr)
    carrier = start()
    try:
        sweep.run(carrier)
    finally:
        carrier.close()
    failed = {run.name: f"{type(e).__name__}: {e}" for run, e in sweep.failed.items()}
    return sweep.made, failed


def outcome(run: Run, budget: Budget) -> Row:
    """The row of a run, with the processor of its seconds, or why the method does not run there."""
    try:
        found = row(run, budget)
        return found | {"processor": processor()} if "seconds" in found else found
    except Refused as error:
        return {"refused": str(error)}
    finally:
        gc.collect()  # model and hooks name each other: a worker would keep each run's weights
