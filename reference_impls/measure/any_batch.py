"""A batch that any model takes, whose tokens mean nothing."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from ..anatomy import anatomy
from ..anatomy.inputs import inputs as inputs_of
from ..core.batches import Batch


def batch_for(model: PreTrainedModel, rows: int, length: int) -> Batch:
    """Any batch of full length: labels for a classifier's rows, or else for each token."""
    inputs = inputs_of(model, rows, length)
    shape = (rows,) if anatomy(model).head else (rows, length)
    return {**inputs, "labels": torch.zeros(shape, dtype=torch.long)}
