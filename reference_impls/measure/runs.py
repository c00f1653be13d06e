"""One training in the lab: what it starts from, its steps, and what it leaves."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from transformers import PreTrainedModel

from ..anatomy import anatomy, numel
from ..core.method import Method
from ..core.training import Loop, train
from ..lab.tasks import TASKS
from .given import from_task

STEPS = 300
BATCH_SIZE = 32


def hyperparameters(method: Method) -> dict[str, Any]:
    """The method's fields, without what the task fills in."""
    return {
        f.name: getattr(method, f.name) for f in fields(method) if not f.metadata.get("from_task")
    }


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
        "losses": history.rounded_losses,
        "seconds": round(history.seconds, 2),
    }
