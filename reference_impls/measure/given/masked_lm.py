"""What makes the backbone anew, as a masked language model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from transformers import AutoModelForMaskedLM, PreTrainedModel

from ...core.batches import Batch
from ...lab import backbones
from ...lab.tasks import Task


def of_task(task: Task, backbone: str, seed: int) -> Callable[[], PreTrainedModel]:
    return partial(backbones.load, backbone, AutoModelForMaskedLM, seed)


def stand_in(model: PreTrainedModel, batch: Batch) -> Callable[[], PreTrainedModel]:
    return partial(AutoModelForMaskedLM.from_config, model.config)
