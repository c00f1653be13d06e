"""Texts without labels, as token ids; where shapes count, as many and as long as the batch's."""

from __future__ import annotations

from transformers import PreTrainedModel

from ...core.batches import Batch, rows
from ...lab.tasks import Task


def of_task(task: Task, backbone: str, seed: int) -> tuple[tuple[int, ...], ...]:
    return tuple(task.unlabeled(seed))


def stand_in(model: PreTrainedModel, batch: Batch) -> tuple[tuple[int, ...], ...]:
    if "input_ids" not in batch:
        raise ValueError("this method asks for unlabeled text, and the model reads none")
    return ((0,) * batch["input_ids"].shape[1],) * rows(batch)
