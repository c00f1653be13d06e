"""Ids to put before and after a text so that a masked language model is asked for its class."""

from __future__ import annotations

from transformers import PreTrainedModel

from ...core.batches import Batch
from ...lab.tasks import Task

Ids = tuple[int, ...]


def of_task(task: Task, backbone: str, seed: int) -> tuple[tuple[Ids, Ids], ...]:
    return (((), task.pattern),)


def stand_in(model: PreTrainedModel, batch: Batch) -> tuple[tuple[Ids, Ids], ...]:
    return (((), (0,)),)
