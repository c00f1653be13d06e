"""Batches, whatever is in them: tensors by name, each with one row an example."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

Batch = dict[str, Tensor]


def rows(batch: Batch) -> int:
    """The number of examples."""
    return len(next(iter(batch.values())))


def singles(batch: Batch) -> Iterator[Batch]:
    """Each example as a batch of its own."""
    for row in range(rows(batch)):
        yield {key: value[row : row + 1] for key, value in batch.items()}


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device."""
    return {key: value.to(device) for key, value in batch.items()}
