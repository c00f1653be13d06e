"""(IA)³ to and from peft's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ...anatomy import Projection, anatomy, width
from ...shared.peft_names import names_of, suffixes
from .ia3 import IA3, keys_and_values

TYPE = "IA3"


def vectors(model: PreTrainedModel) -> Iterator[tuple[str, str, Projection | None]]:
    """The module of each vector, its name, and the outputs that it scales; None: the inputs."""
    names = names_of(model)
    parts = anatomy(model)
    for vector, projection in keys_and_values(parts):
        yield names[projection.module], vector, projection
    for layer in parts.layers:
        yield names[layer.feed_forward_down.module], "ia3_input", None


def export(method: IA3, model: PreTrainedModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and tensors; where maps are fused the others have ones."""
    tensors: dict[str, Tensor] = {}
    inputs = []
    for name, vector, projection in vectors(model):
        module = model.get_submodule(name)
        factor = module.get_submodule(vector).factor
        if projection is None:
            inputs.append(name)
            tensors[f"{name}.ia3_l"] = factor[None]
        else:
            whole = tensors.setdefault(f"{name}.ia3_l", torch.ones(width(module), 1))
            whole[projection.columns, 0] = factor.detach().to(whole)
    places = [key.removesuffix(".ia3_l") for key in tensors]
    config = {
        "target_modules": suffixes(model, places),
        "feedforward_modules": suffixes(model, inputs),
        "fan_in_fan_out": any(isinstance(model.get_submodule(name), Conv1D) for name in places),
    }
    return config, tensors


def load(
    config: Mapping[str, Any], tensors: dict[str, Tensor], model: PreTrainedModel
) -> tuple[IA3, dict[str, Tensor]]:
    """The method and its delta; what is read is taken out of `tensors`.

    Raises:
        ValueError: a module has no vector, or one for the other side of its map, or what is not
            scaled here is scaled.
    """
    delta: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    for name, vector, projection in vectors(model):
        key = f"{name}.ia3_l"
        if key not in tensors and key not in rest:
            raise ValueError(f"{name} has no vector, and this method scales there")
        factor = rest.setdefault(key, tensors.pop(key, torch.empty(0)).clone())
        module = model.get_submodule(name)
        if len(factor) != (1 if projection is None else width(module)):
            raise ValueError(f"the vector of {name} is for the other side of the map")
        columns = slice(None) if projection is None else projection.columns
        delta[f"{name}.{vector}.factor"] = factor.flatten()[columns].clone()
        factor.view(-1)[columns] = 1.0
    if odd := sorted(key for key, left in rest.items() if not left.eq(1).all()):
        raise ValueError(f"{odd[0]} scales queries too, and this method does not")
    return IA3(), delta
