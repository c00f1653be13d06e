"""LoRA to and from peft's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from ...anatomy import ATTENTION
from ...shared.low_rank_in_peft import Pair, pairs, piece, projections, read, written
from .lora import LoRA

TYPE = "LORA"
TARGETS = (*ATTENTION, "feed_forward_up", "feed_forward_down")


def export(method: LoRA, model: PreTrainedModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and tensors; maps that are fused have one pair of the sum of their ranks."""
    updates: dict[str, list] = {}
    for target in method.targets:
        for name, projection in projections(model, target):
            update = projection.module.get_submodule(f"lora_{target}")
            updates.setdefault(name, []).append(update)
    return written(model, updates)


def load(
    config: Mapping[str, Any], tensors: dict[str, Tensor], model: PreTrainedModel
) -> tuple[LoRA, dict[str, Tensor]]:
    """The method and its delta; what is read is taken out of `tensors`.

    Raises:
        ValueError: ranks or scales differ, or a kind of map has a pair in some layers only.
    """
    found = pairs(config, tensors)
    pieces: dict[str, Pair] = {}
    used: dict[str, set[str]] = {}
    for target in TARGETS:
        places = projections(model, target)
        own = {name: piece(found[name], p) for name, p in places if name in found}
        if not any(len(a) for a, _, _ in own.values()):
            continue
        if lacking := [name for name, _ in places if name not in own]:
            raise ValueError(f"{lacking[0]} has no pair, and other maps called {target} have one")
        used[target] = {*own}
        pieces |= {f"{name}.lora_{target}": pair for name, pair in own.items()}
    if odd := sorted(found.keys() - set().union(*used.values())):
        raise ValueError(f"{odd[0]} is none of a layer's projections, or its pair does nothing")
    settings, delta = read(config, pieces)
    return LoRA(targets=tuple(used), **settings), delta
