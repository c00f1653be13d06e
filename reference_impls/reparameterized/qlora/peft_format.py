"""QLoRA to and from peft's files, which are LoRA's on all linear maps; the base stays apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from ...anatomy import Projection, anatomy
from ...shared.low_rank_in_peft import pairs, piece, read, written
from ...shared.peft_names import names_of
from .qlora import QLoRA

TYPE = "LORA"


def export(method: QLoRA, model: PreTrainedModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and tensors; maps that are fused have one pair of the sum of their ranks."""
    modules = dict(model.named_modules())
    return written(model, {n: [*m.qlora] for n, m in modules.items() if hasattr(m, "qlora")})


def load(
    config: Mapping[str, Any], tensors: dict[str, Tensor], model: PreTrainedModel
) -> tuple[QLoRA, dict[str, Tensor]]:
    """The method and its delta; what is read is taken out of `tensors`.

    Raises:
        ValueError: ranks or scales differ, or a linear map of a layer has no pair.
    """
    found = pairs(config, tensors)
    names = names_of(model)
    slices: dict[str, list[Projection]] = {}
    for layer in anatomy(model).layers:
        for projection in layer.linear_maps:
            slices.setdefault(names[projection.module], []).append(projection)
    if odd := sorted(found.keys() ^ slices.keys()):
        raise ValueError(f"{odd[0]} must have a pair and be a linear map of a layer")
    pieces = {
        f"{name}.qlora.{i}": piece(found[name], projection)
        for name, projections in slices.items()
        for i, projection in enumerate(projections)
    }
    settings, delta = read(config, pieces)
    return QLoRA(**settings), delta
