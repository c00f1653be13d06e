"""Pairs of thin matrices as peft keeps them: one pair a module, also where several maps are fused.

There the A of all slices stand above one another, and B has a block for each; the rank is the sum.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from ..anatomy import Projection, anatomy
from .low_rank import LowRank
from .peft_names import names_of, suffixes

Pair = tuple[Tensor, Tensor, float]  # A (r, d_in), B (width, r), and the scale
# what its own code makes of a base's weights cannot be undone here
PLAIN_STARTS = (True, False, "gaussian", "eva", "orthogonal")


def written(
    model: nn.Module, updates: Mapping[str, Sequence[LowRank]]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and tensors of the updates of each module, by the module's name."""
    tensors, ranks, alphas = {}, {}, {}
    for name, parts in updates.items():
        a = torch.cat([part.a for part in parts])
        tensors[f"{name}.lora_A.weight"] = a
        tensors[f"{name}.lora_B.weight"] = torch.cat([p.widen(p.b.T) for p in parts]).T
        ranks[name], alphas[name] = len(a), parts[0].scale * len(a)
    r, alpha = (Counter(found.values()).most_common(1)[0][0] for found in (ranks, alphas))
    config = {
        "r": r,
        "lora_alpha": alpha,
        "rank_pattern": {name: rank for name, rank in ranks.items() if rank != r},
        "alpha_pattern": {name: own for name, own in alphas.items() if own != alpha},
        "target_modules": suffixes(model, [*updates]),
        "lora_dropout": next(iter(updates.values()))[0].dropout.p,
        "fan_in_fan_out": any(isinstance(model.get_submodule(n), Conv1D) for n in updates),
        "bias": "none",
    }
    return config, tensors


def pairs(config: Mapping[str, Any], tensors: dict[str, Tensor]) -> dict[str, Pair]:
    """The pair of each module, by its name; its tensors are taken out of `tensors`.

    Raises:
        ValueError: a tensor has no other, or the configuration asks for another start.
    """
    if (start := config.get("init_lora_weights", True)) not in PLAIN_STARTS:
        raise ValueError(f"init_lora_weights = {start!r} changed the base's own weights")
    found = {}
    for key in [key for key in tensors if key.endswith(".lora_A.weight")]:
        name = key.removesuffix(".lora_A.weight")
        if f"{name}.lora_B.weight" not in tensors:
            raise ValueError(f"{name} has a lora_A and no lora_B")
        a, b = tensors.pop(key), tensors.pop(f"{name}.lora_B.weight")
        alpha = _of_module(config.get("alpha_pattern"), name, config["lora_alpha"])
        rank = len(a) ** 0.5 if config.get("use_rslora") else len(a)
        found[name] = a, b, alpha / rank
    return found


def _of_module(pattern: Mapping[str, Any] | None, name: str, usual: Any) -> Any:
    """As peft finds it: a key is an expression that the name, or an end of it, matches."""
    keys = (key for key in pattern or {} if re.match(rf"(.*\.)?({key})$", name))
    return next(((pattern or {})[key] for key in keys), usual)


def piece(pair: Pair, projection: Projection) -> Pair:
    """What a pair does to a projection; of a fused one without the ranks that do nothing there."""
    a, b, scale = pair
    own = b[projection.columns]
    if len(own) < len(b):
        kept = own.any(0)
        a, own = a[kept], own[:, kept]
    return a, own.contiguous(), scale


def read(
    config: Mapping[str, Any], pieces: Mapping[str, Pair]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The settings that all pieces have, and the delta; a piece's key is where its update is.

    Raises:
        ValueError: there are no pieces, or they have several ranks or scales.
    """
    kinds = {(len(a), scale) for a, _, scale in pieces.values()}
    if len(kinds) != 1:
        raise ValueError(f"{len(kinds)} pairs of rank and scale: one for all modules is needed")
    ((rank, scale),) = kinds
    delta = {f"{name}.a": a for name, (a, _, _) in pieces.items()}
    delta |= {f"{name}.b": b for name, (_, b, _) in pieces.items()}
    dropout = config.get("lora_dropout", 0.0)
    return {"r": rank, "alpha": scale * rank, "dropout": dropout}, delta


def projections(model: nn.Module, name: str) -> list[tuple[str, Projection]]:
    """All projections of a name in the layers, each with its module's name."""
    names = names_of(model)
    every = [p for layer in anatomy(model).layers for p in layer.projections(name)]
    return [(names[p.module], p) for p in every]
