"""A plan of runs: what every method gets, which learning rates are tried, and what comes next."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..core.registry import method_file, method_files
from .models import MODELS
from .tasks import TASKS
from .training import CONTROLS, MEMORY, Budget, Run, Settings

Row = dict[str, Any]
KEY = ("lr", "seed", "split", "control")  # what tells the runs of a method on a task apart


@dataclass(frozen=True)
class Plan:
    """The same for all methods.

    steps: of each task, by name. rates: lowest and highest exponent of the grid, whose rates are
    10 ** (exponent / 2). wider: how many rates more may be tried at either end, where the best one
    is the last of the grid. tuning: the seed of the runs that choose the rate. seeds: of those that
    are scored on the test; the first is that of the controls and of memory as well. controls: on
    which tasks there are any. variants: methods once more, with settings.
    """

    model: str
    steps: dict[str, int]
    methods: tuple[str, ...]
    rows: int
    head_lr: float
    rates: tuple[int, int]
    wider: int
    tuning: int
    seeds: tuple[int, ...]
    controls: tuple[str, ...]
    variants: tuple[dict[str, Any], ...]

    @property
    def contenders(self) -> list[tuple[str, Settings]]:
        """Each method as it is, then those with settings."""
        found: list[tuple[str, Settings]] = [(method, ()) for method in self.methods]
        for variant in self.variants:
            settings = {key: value for key, value in variant.items() if key != "method"}
            found.append((variant["method"], tuple(settings.items())))
        return found

    def groups(self) -> Iterator[tuple[str, str, Settings]]:
        """Every task with every contender."""
        for task in self.steps:
            for method, settings in self.contenders:
                yield task, method, settings

    def budget(self, task: str) -> Budget:
        return Budget(self.steps[task], self.rows, self.head_lr)

    def wanted(
        self, method: str, task: str, rows: Iterable[Row], settings: Settings = ()
    ) -> list[Run]:
        """What can be run next, from what there is of the method on the task.

        First the grid on the development split, with one seed; then, as long as the best rate is
        the last one at an end, the next beyond; beyond both ends where no rate is better than
        guessing, since the best of such scores says nothing. Then the other seeds on the test with
        the best rate, and the controls. Nothing where the method was refused, or all is there.
        """
        rows = list(rows)
        if any("refused" in row for row in rows):
            return []

        def run(lr: float, seed: int, split: str, control: str = "") -> Run:
            return Run(method, self.model, task, lr, seed, split, control, settings)

        tried = self.tried(rows)
        low, high = self.rates
        grid = [rate(exponent) for exponent in range(low, high + 1)]
        if untried := [lr for lr in grid if lr not in tried]:
            return [run(lr, self.tuning, "dev") for lr in untried]
        ends = {
            min(tried): [rate(e) for e in range(low - 1, low - self.wider - 1, -1)],
            max(tried): [rate(e) for e in range(high + 1, high + self.wider + 1)],
        }
        best = chosen(tried)
        growing = ends if tried[best] <= chance(task) else ends.keys() & {best}
        further = [[lr for lr in ends[end] if lr not in tried] for end in growing]
        if nearest := [run(lrs[0], self.tuning, "dev") for lrs in further if lrs]:
            return nearest
        found = {run_of(row, method, self.model, task, settings) for row in rows}
        final = [run(best, seed, "test") for seed in self.seeds]
        final.append(run(best, self.seeds[0], MEMORY))
        if task in self.controls:
            final += [run(best, self.seeds[0], "test", control) for control in CONTROLS]
        return [each for each in final if each not in found]

    def tried(self, rows: Iterable[Row]) -> dict[float, float]:
        """The score on the development split by rate, lowest first; 0 where training diverged."""
        tuning = (row for row in rows if row["split"] == "dev" and row["seed"] == self.tuning)
        return dict(sorted((row["lr"], row.get("score", 0.0)) for row in tuning))


def run_of(row: Row, method: str, model: str, task: str, settings: Settings) -> Run:
    """The run that left a row."""
    return Run(method, model, task, *(row[key] for key in KEY), settings)


def rate(exponent: int) -> float:
    """A learning rate of the grid, to two digits: 0.001, 0.0032, 0.01 …"""
    return float(f"{10 ** (exponent / 2):.2g}")


def chance(task: str) -> float:
    """The best score on the development split of who gives the same answer to every text."""
    answers = Counter(answer for _, answer in TASKS[task].splits["dev"])
    return max(answers.values()) / answers.total()


def chosen(tried: dict[float, float]) -> float:
    """The best rate; of several, one that is no end, then the lower."""
    lrs = sorted(tried)
    return max(lrs, key=lambda lr: (tried[lr], lr not in (lrs[0], lrs[-1]), -lr))


def read(path: Path) -> Plan:
    """A plan from a TOML file; methods = "all" are all there are.

    Raises:
        ValueError: the file is none, or names what there is not.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    known = {field.name for field in fields(Plan)}
    if odd := sorted(given.keys() ^ known):
        raise ValueError(f"{path}: {odd[0]}: {'missing' if odd[0] in known else 'no such key'}")
    names = method_files() if given["methods"] == "all" else given["methods"]
    for name in (*names, *(variant.get("method", "") for variant in given["variants"])):
        method_file(name)
    tuples = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
    return _checked(Plan(**tuples | {"methods": tuple(names)}), path)


def _checked(plan: Plan, path: Path) -> Plan:
    if plan.model not in MODELS:
        raise ValueError(f"{path}: model: there is no '{plan.model}', but {', '.join(MODELS)}")
    for task, steps in plan.steps.items():
        if task not in TASKS:
            raise ValueError(f"{path}: steps: there is no task '{task}', but {', '.join(TASKS)}")
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(f"{path}: steps: {task} = {steps!r}, at least one is needed")
    for task in plan.controls:
        if task not in plan.steps:
            raise ValueError(f"{path}: controls: '{task}' is no task of this plan")
    if len(plan.rates) != 2 or plan.rates[1] - plan.rates[0] < 2:
        raise ValueError(f"{path}: rates: [lowest, highest] exponent, with one between them")
    if plan.tuning in plan.seeds or not plan.seeds:
        raise ValueError(f"{path}: seeds: at least one, and not that of tuning")
    return plan
