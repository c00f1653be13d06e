"""What a task gives to a method: each `from_task` field that methods ask for has a file here.

It is named as the field, and says the same thing twice: `of_task`, from a task of the lab, its
backbone and a seed, and `stand_in`, where shapes alone count: something of that shape, from a model
and a batch.
"""

from __future__ import annotations

import importlib
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

from transformers import PreTrainedModel

from ...core.batches import Batch
from ...core.method import Method
from ...lab.tasks import Task


def from_task(method: type[Method], task: Task, backbone: str, seed: int) -> dict[str, Any]:
    """What the task gives to the method."""
    return {name: file.of_task(task, backbone, seed) for name, file in _wanted(method).items()}


def stand_ins(method: type[Method], model: PreTrainedModel, batch: Batch) -> dict[str, Any]:
    """What stands in for it on a model without a task."""
    return {name: file.stand_in(model, batch) for name, file in _wanted(method).items()}


def files_of(method: type[Method]) -> list[Path]:
    """The files of the fields that the method asks for."""
    return [Path(file.__file__) for file in _wanted(method).values()]


def _wanted(method: type[Method]) -> dict[str, ModuleType]:
    names = [field.name for field in fields(method) if field.metadata.get("from_task")]
    return {name: importlib.import_module(f".{name}", __package__) for name in names}
