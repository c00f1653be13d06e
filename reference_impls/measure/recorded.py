"""Committed runs: what the site shows of a method, and whether the code is still the same.

A method's runs stand in `measured/runs.json` beside it, by task. Each is tied to the code that it
ran by digests, so it is stale when that has changed, and not when a page has.
"""

from __future__ import annotations

import inspect
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ..anatomy.families import files_of as family_files
from ..core import training
from ..core.method import Method
from ..core.training import Loop
from ..lab import backbones
from ..lab.tasks import TASKS, files_of
from . import files, runs
from .digests import sources
from .given import files_of as given_files

SEEDS = (0, 1, 2)
# Allowed difference of a repeated score. With other vector instructions (AVX2, or none, in place of
# AVX-512) the largest was 0.006 over all runs (benchmarks/repeat.py); this is three times that.
# On another make of processor 94 of 95 runs are within it; of the other its method's card tells.
TOLERANCE = 0.02
# Allowed difference of a repeated loss of the first steps. In the same way, 3e-4 was the largest
# but for six runs, whose methods' cards say how far theirs move.
LOSSES = 1e-3
BEGINNING = 40  # steps: a loss there tells more of the code than a final score, which is near 1


def path_of(method: type[Method]) -> Path:
    """Where a method's runs are kept."""
    return Path(inspect.getfile(method)).parent / "measured" / "runs.json"


def sources_of(method: type[Method], task: str) -> dict[str, str]:
    """Digests of the code that a run depends on, by path below the package."""
    return sources(
        Path(inspect.getfile(method)),
        Path(runs.__file__),
        Path(training.__file__),
        *given_files(method),
        *files_of(task),
        *family_files(backbones.model_type(TASKS[task].backbone)),
    )


def committed(method: type[Method]) -> dict[str, Any]:
    """A method's runs, by task."""
    return files.read(path_of(method))


def stale(method: type[Method]) -> list[str]:
    """The tasks whose run is missing or was made by other code."""
    found = committed(method)
    return [task for task in method.tasks if not is_current(method, task, found.get(task))]


def write(method: type[Method], made: dict[str, Any]) -> None:
    """Put runs, by task, into the method's file; those of tasks that it no longer has go."""
    kept = committed(method) | made
    files.write(path_of(method), {t: kept[t] for t in method.tasks if t in kept}, depth=3)


def is_current(method: type[Method], task: str, run: dict[str, Any] | None) -> bool:
    """Whether a run was made by the code and the backbone that are here now."""
    return (
        run is not None
        and run["sources"] == sources_of(method, task)
        and run["backbone"]["sha256"] == backbones.digest(TASKS[task].backbone)
    )


def record(method: type[Method], task: str) -> dict[str, Any]:
    """Run all seeds, each also from the random backbone, and put together what is committed."""
    backbone = TASKS[task].backbone
    seeds = []
    for seed in SEEDS:
        settings = {"seed": seed, "progress": False}
        result = runs.one(method, task, **settings)
        random = f"{backbone}-random"
        control = runs.one(method, task, backbone=random, every=runs.STEPS, **settings)
        kept = ("seed", "score", "curve", "losses", "seconds")
        seeds.append({key: result[key] for key in kept})
        seeds[-1]["random_backbone_score"] = control["score"]
    return {
        "backbone": {"name": backbone, "sha256": backbones.digest(backbone)},
        "hyperparameters": result["hyperparameters"],
        "steps": runs.STEPS,
        "batch_size": runs.BATCH_SIZE,
        "counts": result["counts"],
        "seeds": seeds,
        "beginning": beginning(method, task),
        "tolerance": TOLERANCE,
        "versions": {"python": platform.python_version(), **files.versions()},
        "sources": sources_of(method, task),
    }


def renew(method: type[Method], task: str) -> dict[str, Any]:
    """The committed run, tied to the code that is here now, if that takes the same first steps.

    That a change of the core changed no number is seen in a second instead of half a minute; the
    whole run is repeated at night. Where a digit differs, or nothing is committed, all is run.
    """
    run = committed(method).get(task)
    same = run and run["backbone"]["sha256"] == backbones.digest(TASKS[task].backbone)
    if same and [list(pair) for pair in beginning(method, task)] == run["beginning"]:
        return run | {"sources": sources_of(method, task)}
    return record(method, task)


@dataclass
class Beginning(Loop):
    """The first steps of every phase, at the rates of the whole; `seen` are the losses of all."""

    seen: list[tuple[int, float]] = field(default_factory=list)

    def run(self, method: Method, model: PreTrainedModel) -> None:
        before = len(self.history.losses)
        super().run(method, model)
        self.seen += self.history.rounded_losses[before:]


def beginning(method_class: type[Method], task: str) -> list[tuple[int, float]]:
    """The losses of the first steps of seed 0, in each phase of the method one after another."""
    method, model, whole = runs.prepare(method_class, task, progress=False)
    loop = Beginning(**vars(whole) | {"stop": BEGINNING, "evaluate": None})
    training.train(method, model, loop)
    return loop.seen
