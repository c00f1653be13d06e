"""Parts that are given by name, where watching does not find them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from .found import Found, FoundAttention, FoundLayer, Map
from .parts import ATTENTION, Attention, Layer, Part
from .projection import width
from .watch import is_linear

MAPS = (*ATTENTION, "feed_forward_up", "feed_forward_down")
OWN = {name for name, value in vars(Attention).items() if isinstance(value, Part)}
PARTS = sorted(OWN | {name for name, value in vars(Layer).items() if isinstance(value, Part)})


def put(base: PreTrainedModel, found: Found, names: dict[str, Any]) -> Found:
    """What was found, with the parts that are given in place of it.

    Raises:
        ValueError: a name is none of a part, or what it names is not there or cannot be it.
    """
    found, names = deepcopy(found), dict(names)
    layers = names.pop("layers", None)
    if unknown := [name for name in names if name not in PARTS]:
        raise ValueError(f"a layer has no part '{unknown[0]}' (parts: layers, {', '.join(PARTS)})")
    if layers is not None:
        found.layers = _layers(base, found, layers)
    for layer in found.layers:
        block = base.get_submodule(layer.block)
        for name, given in names.items():
            part = _part(layer, block, name, given)
            if name in OWN:
                layer.own = layer.own or FoundAttention()
            place = layer.own if name in OWN else layer
            place.parts[name] = part
            place.missing.pop(name, None)
    return found


def _layers(base: PreTrainedModel, found: Found, given: str | tuple[str, ...]) -> list[FoundLayer]:
    """One for each element of the list that a name is of, or for each of the names."""
    names = given
    if isinstance(given, str):
        try:
            names = [f"{given}.{name}" for name, _ in base.get_submodule(given).named_children()]
        except AttributeError:
            names = []
    modules = dict(base.named_modules())
    odd = [name for name in names if name not in modules]
    if odd or not names:
        raise ValueError(f"layers: {type(base).__name__} has no '{odd[0] if odd else given}'")
    known = {layer.block: layer for layer in found.layers}
    size = base.config.get_text_config().hidden_size
    return [known.get(name) or FoundLayer(block=name, width=size) for name in names]


def _part(layer: FoundLayer, block: nn.Module, name: str, given: Any) -> Any:
    if name == "feed_forward_up" and not isinstance(given, str):
        return tuple(_part(layer, block, "feed_forward_down", one) for one in given)
    path, *span = given if isinstance(given, tuple) else (given,)
    try:
        module = block.get_submodule(path)
    except AttributeError:
        raise ValueError(f"{name} = '{path}': layer '{layer.block}' has none") from None
    whole = f"{layer.block}.{path}" if path else layer.block
    if name not in MAPS:
        return whole
    if not is_linear(module):
        raise ValueError(f"{name} = '{path}': {type(module).__name__} is no linear map")
    start, stop = span or (0, width(module))
    if not 0 <= start < stop <= width(module):
        raise ValueError(f"{name}: '{path}' has no features {start} to {stop}")
    part = Map(whole, ((start, stop),))
    return (part,) if name == "feed_forward_up" else part
