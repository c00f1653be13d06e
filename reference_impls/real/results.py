"""What runs left: `measured/real.json` beside each method, a line a run.

The file says by digests what code its runs were made with, and groups of them, by model and task,
with what weights, data and budget. It is added to under a lock and replaced at once, so that
several programs can.
"""

from __future__ import annotations

import copy
import inspect
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..core.registry import PACKAGE, load_method, method_file
from ..measure import files
from ..measure.digests import sources
from . import training
from .models import MODELS
from .plan import Plan, Row, run_of
from .tasks import TASKS
from .training import Budget, Run, Settings


@dataclass(frozen=True)
class Results:
    """Where results are: a file a method in `folder`, or, without one, in the method's own.

    Raises:
        ValueError: there is no folder, and what is installed is not to be written to.
    """

    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.folder is None and not (PACKAGE.parent / "papers.yaml").is_file():
            raise ValueError("say with --out where results go: only a checkout has a place")

    @property
    def locks(self) -> Path:
        """Where programs say what they are at."""
        return (self.folder or PACKAGE.parent) / ".sweep"

    def path(self, method: str) -> Path:
        if self.folder:
            return self.folder / f"{method}.json"
        return method_file(method).parent / "measured" / "real.json"

    def rows(self, plan: Plan, method: str, task: str, settings: Settings = ()) -> list[Row]:
        """What there is of the method on the task; nothing that was made with something else."""
        run = Run(method, plan.model, task, 0.0, 0, "", "", settings)
        return _group(self._current(method), plan, run)["runs"]

    def has(self, plan: Plan, run: Run) -> bool:
        """Whether the run is there, or its method was refused."""
        rows = self.rows(plan, run.method, run.task, run.settings)
        return any("refused" in row or _key(row) == _key(run._asdict()) for row in rows)

    def add(self, plan: Plan, run: Run, row: Row) -> bool:
        """Keep a run; returns whether it is new. What was made otherwise goes."""
        with self._alone(run.method):
            every = copy.deepcopy(self._current(run.method))
            group = _group(every, plan, run)
            if any(_key(known) == _key(row) for known in group["runs"]):
                return False
            # for readers without the data: what there is to reach, and how many texts say so
            group |= {
                "metric": TASKS[run.task].metric,
                "guessing": TASKS[run.task].guessing,
                "texts": len(TASKS[run.task].splits["test"]),
            }
            group["runs"] = sorted([*group["runs"], row], key=_key)
            groups = every["models"].setdefault(run.model, {}) | {run.group: group}
            every["models"][run.model] = dict(sorted(groups.items()))
            self._write(run.method, every)
            return True

    def renew(
        self,
        method: str,
        repeats: Callable[[Run, Budget, float], bool],
        peak: Callable[[Run, Budget], int],
    ) -> bool:
        """Tie runs that other code made to this one, if its first steps are the same in each group.

        Of memory losses tell nothing: peaks are measured anew. Returns whether the steps are the
        same, or there is nothing to do.
        """
        with self._alone(method):
            found = copy.deepcopy(_parsed(self.path(method)))
            if not found or found == self._current(method):
                return True
            for budget, runs in _groups(method, found):
                begun = [(run, row["beginning"]) for run, row in runs if "beginning" in row][:1]
                if not all(repeats(run, budget, loss) for run, loss in begun):
                    return False
                for run, row in runs:
                    if "peak" in row:
                        row["peak"] = peak(run, budget)
            self._write(method, found | {"sources": _sources(method)})
        return True

    def claim(self, run: Run) -> FileLock | None:
        """The right to do a run, until it is released or this program ends; None if one has it."""
        self.locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.locks / f"{run.name.replace(' ', '_')}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock

    def _current(self, method: str) -> dict[str, Any]:
        """What the file holds of this code's; to be looked at, not to be changed."""
        found = _parsed(self.path(method))
        if found.get("sources") == _sources(method):
            return found
        here = {"processor": platform.machine(), "python": platform.python_version()}
        versions = {**here, **files.versions()}
        return {"sources": _sources(method), "versions": versions, "models": {}}

    def _write(self, method: str, value: dict[str, Any]) -> None:
        self.path(method).parent.mkdir(parents=True, exist_ok=True)
        files.write(self.path(method), value, depth=5)

    def _alone(self, method: str) -> FileLock:
        self.locks.mkdir(parents=True, exist_ok=True)
        return FileLock(self.locks / f"{method}.json.lock")


def _group(every: dict[str, Any], plan: Plan, run: Run) -> dict[str, Any]:
    """What there is beside a run, or a new group where that was made otherwise."""
    made = {
        "task": run.task,
        "settings": dict(run.settings),
        "weights": MODELS[run.model].digest,
        "data": TASKS[run.task].digest,
        "budget": plan.budget(run.task)._asdict(),
    }
    found = every["models"].get(run.model, {}).get(run.group, {})
    return found if made.items() <= found.items() else {**made, "runs": []}


def _parsed(path: Path) -> dict[str, Any]:
    """A file's content, parsed once for each state of it: a driver asks for every group."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return {}
    state = stat.st_mtime_ns, stat.st_ino  # it is replaced, so that a new state is a new file
    if path not in _PARSED or _PARSED[path][0] != state:
        _PARSED[path] = state, files.read(path)
    return _PARSED[path][1]


_PARSED: dict[Path, tuple[tuple[int, int], dict[str, Any]]] = {}


@cache
def _sources(method: str) -> dict[str, str]:
    return sources(Path(inspect.getfile(load_method(method))), Path(training.__file__))


def _groups(method: str, found: dict[str, Any]) -> Iterator[tuple[Budget, list[tuple[Run, Row]]]]:
    """Of each group in a method's file its budget, and its runs, each with the row that it left."""
    for model, groups in found["models"].items():
        for group in groups.values():
            made = [row for row in group["runs"] if "refused" not in row]
            about = method, model, group["task"], tuple(group["settings"].items())
            yield Budget(**group["budget"]), [(run_of(row, *about), row) for row in made]


def _key(row: Row) -> tuple[Any, ...]:
    """What no two runs of a group have in common, in the order in which they are written."""
    return row.get("split", ""), row.get("control", ""), row.get("lr", 0), row.get("seed", 0)
