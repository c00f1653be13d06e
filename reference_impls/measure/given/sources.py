"""Batches of the other tasks that a method may learn from first; where shapes count, of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat

from transformers import PreTrainedModel

from ...core.batches import Batch
from ...lab.tasks import TASKS, Task

Batches = Callable[[int], Iterator[Batch]]


def of_task(task: Task, backbone: str, seed: int) -> tuple[Batches, ...]:
    return tuple(TASKS[name].batches for name in task.sources)


def stand_in(model: PreTrainedModel, batch: Batch) -> tuple[Batches, ...]:
    return (lambda seed: repeat(batch),)
