"""Batches of each domain of the training set; where shapes count, of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat

from transformers import PreTrainedModel

from ...core.batches import Batch
from ...lab.tasks import Task

Batches = Callable[[int], Iterator[Batch]]


def of_task(task: Task, backbone: str, seed: int) -> tuple[Batches, ...]:
    return tuple(domain.batches for domain in task.domains())


def stand_in(model: PreTrainedModel, batch: Batch) -> tuple[Batches, ...]:
    return (lambda seed: repeat(batch),)
