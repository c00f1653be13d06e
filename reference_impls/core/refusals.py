"""What is refused after `setup`, when a model carries a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from torch import Tensor, nn


class NothingTrainedError(ValueError):
    """The loss of a batch depends on nothing that is trained."""


def loss_in(output: Any, model: nn.Module, batch: Mapping[str, Any]) -> Tensor:
    """The loss in what a model returned.

    Raises:
        ValueError: there is none.
    """
    loss = getattr(output, "loss", None)
    if loss is None:
        why = "computes none" if "labels" in batch else "has no labels in this batch"
        raise ValueError(f"{type(model).__name__} gives no loss to train on: it {why}")
    return loss


def demand_gradients(loss: Tensor, title: str) -> None:
    """Refuse a loss of which there is no gradient.

    Raises:
        NothingTrainedError: no trained weight has a part in it.
    """
    if not loss.requires_grad:
        raise NothingTrainedError(
            f"{title}: the loss of this batch depends on nothing that is trained: what it trains "
            "is in parts of the model that the batch does not run through"
        )


def refuse_to_save(*args: Any, **kwargs: Any) -> NoReturn:
    """What stands in for `save_pretrained` of a model that has parts which its class lacks.

    Raises:
        ValueError: always; such a file would come back without them.
    """
    raise ValueError(
        "this model carries a method, which save_pretrained would lose: store the method's delta, "
        "or merge or detach it first"
    )
