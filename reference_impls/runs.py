"""Committed runs: what the site shows of a method, and whether the code still does that."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import platform
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import transformers
from tqdm import tqdm
from transformers import BertForMaskedLM, PreTrainedModel

from reference_impls.anatomy import anatomy, numel
from reference_impls.lab import backbones
from reference_impls.lab.language import BOS, CLS, MASK, SEP, encode
from reference_impls.lab.tasks import LANGUAGES, TASKS, Task, language_batches
from reference_impls.method import Method, load_methods
from reference_impls.training import Loop, train

PACKAGE = Path(__file__).resolve().parent
RUNS = PACKAGE / "runs"
STEPS = 300
BATCH_SIZE = 32
SEEDS = (0, 1, 2)
# Allowed difference of a repeated score. With other vector instructions (AVX2, or none, in place of
# AVX-512) the largest was 0.006 over all runs (benchmarks/repeat.py); this is three times that,
# since other systems were not measured.
TOLERANCE = 0.02


def sources(method: type[Method]) -> dict[str, str]:
    """SHA-256 of each file that a run depends on, by its path from the repository's root."""
    core = ("anatomy", "masks", "method", "prefix_attention", "runs", "training")
    lab = ("backbones", "kinds", "language", "tasks")
    files = [
        Path(inspect.getfile(method)),
        *(PACKAGE / f"{name}.py" for name in core),
        *(PACKAGE / "lab" / f"{name}.py" for name in lab),
    ]
    return {
        path.relative_to(PACKAGE.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


def hyperparameters(method: Method) -> dict[str, Any]:
    """The method's fields, without what the task fills in."""
    return {
        f.name: getattr(method, f.name) for f in fields(method) if not f.metadata.get("from_task")
    }


def from_task(method: type[Method], task: Task, backbone: str, seed: int) -> dict[str, Any]:
    """What the task knows, for those fields of `method` that ask for it."""
    known = {
        "verbalizer": lambda: tuple(tuple(ids) for _, ids in sorted(task.verbalizer.items())),
        "masked_lm": lambda: partial(backbones.load, backbone, BertForMaskedLM, seed),
        "patterns": lambda: (((), task.pattern),),
        "mask_token": lambda: encode(MASK)[0],
        "special_tokens": lambda: tuple(encode([CLS, SEP, BOS])),
        "unlabeled": lambda: tuple(task.unlabeled(seed)),
        "sources": lambda: tuple(TASKS[name].batches for name in task.sources),
        "language_batches": lambda: partial(language_batches, LANGUAGES["second"]),
        "source_language_batches": lambda: partial(language_batches, LANGUAGES["first"]),
        "domains": lambda: tuple(domain.batches for domain in task.domains()),
    }
    wanted = [f.name for f in fields(method) if f.metadata.get("from_task")]
    return {name: known[name]() for name in wanted}


def prepare(
    method_class: type[Method],
    task_name: str,
    *,
    seed: int = 0,
    steps: int = STEPS,
    backbone: str | None = None,
    every: int = 20,
    progress: bool = True,
    **arguments: Any,
) -> tuple[Method, PreTrainedModel, Loop]:
    """The method, the model and the loop of a run in the lab, ready for `train`.

    `arguments` are hyper-parameters; the method's lab values are the default.

    Raises:
        ValueError: the method does not run on such a task or backbone.
    """
    if task_name not in method_class.tasks:
        raise ValueError(
            f"{method_class.name} runs on {', '.join(method_class.tasks)}, not on '{task_name}'"
        )
    task = TASKS[task_name]
    backbone = backbone or task.backbone
    model = task.model(backbone, seed)
    filled = from_task(method_class, task, backbone, seed)
    method = method_class(**{**filled, **method_class.lab, **arguments})
    loop = Loop(
        batches=lambda seed: task.batches(seed, BATCH_SIZE),
        steps=steps,
        seed=seed,
        evaluate=task.evaluate,
        every=every,
        progress=progress,
    )
    return method, model, loop


def one(method_class: type[Method], task_name: str, **settings: Any) -> dict[str, Any]:
    """Train a method once; settings as for `prepare`.

    Returns, ready for JSON, score, curve, losses, seconds, counts and hyper-parameters.
    """
    method, model, loop = prepare(method_class, task_name, **settings)
    parts = anatomy(model)
    counts = {
        "trained": method.trained(parts),
        "stored": method.stored(parts),
        "head": numel(parts.head_parameters()),
        "base": numel(parts.base_parameters()),
    }
    history = train(method, model, loop)
    return {
        "method": method.name,
        "task": task_name,
        "backbone": settings.get("backbone") or TASKS[task_name].backbone,
        "seed": loop.seed,
        "steps": loop.steps,
        "score": history.score,
        "counts": counts,
        "hyperparameters": hyperparameters(method),
        "curve": history.curve,
        "losses": [(step, round(loss, 4)) for step, loss in history.losses],
        "seconds": round(history.seconds, 2),
    }


def path_of(method: str, task: str) -> Path:
    """Where a run is kept."""
    return RUNS / task / f"{method}.json"


def is_current(method: type[Method], task: str) -> bool:
    """Whether the run exists and was made by the files and the backbone that are here now."""
    path = path_of(method.name, task)
    if not path.exists():
        return False
    run = json.loads(path.read_text(encoding="utf-8"))
    digest = backbones.digest(TASKS[task].backbone)
    return run["sources"] == sources(method) and run["backbone"]["sha256"] == digest


def record(method: type[Method], task: str) -> dict[str, Any]:
    """Run all seeds, each also from the random backbone, and put together what is committed."""
    backbone = TASKS[task].backbone
    seeds = []
    for seed in SEEDS:
        settings = {"seed": seed, "progress": False}
        result = one(method, task, **settings)
        control = one(method, task, backbone=f"{backbone}-random", every=STEPS, **settings)
        kept = ("seed", "score", "curve", "losses", "seconds")
        seeds.append({key: result[key] for key in kept})
        seeds[-1]["random_backbone_score"] = control["score"]
    return {
        "method": method.name,
        "task": task,
        "backbone": {"name": backbone, "sha256": backbones.digest(backbone)},
        "hyperparameters": result["hyperparameters"],
        "steps": STEPS,
        "batch_size": BATCH_SIZE,
        "command": f"python -m reference_impls train {method.name} --task {task} --seed 0",
        "counts": result["counts"],
        "seeds": seeds,
        "tolerance": TOLERANCE,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "sources": sources(method),
    }


def refresh(methods: dict[str, type[Method]]) -> int:
    """Make every run that is not current, one a processor; returns how many were made."""
    stale = [
        (name, task)
        for name, method in methods.items()
        for task in method.tasks
        if not is_current(method, task)
    ]
    if stale:
        workers = min(len(stale), os.cpu_count() or 1)
        one_thread = {"initializer": torch.set_num_threads, "initargs": (1,)}
        with ProcessPoolExecutor(workers, get_context("spawn"), **one_thread) as pool:
            made = [pool.submit(_make, *run) for run in stale]
            for done in tqdm(as_completed(made), desc="runs", unit="run", total=len(made)):
                done.result()
    return len(stale)


def _make(name: str, task: str) -> None:
    path = path_of(name, task)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    run = record(load_methods()[name], task)
    draft.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
