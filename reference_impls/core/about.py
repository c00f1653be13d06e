"""What a delta says of itself: the method, the options that it must be read with, and its base.

It is one entry more, bytes of JSON in a tensor, so that every format which keeps tensors keeps it.
The base is known by the shape, the first and the last entry of some of its tensors. The last ones
show tokens that were added to a vocabulary and drawn at random.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch
from torch import Tensor

from ..anatomy import Anatomy

KEY = "about"
TENSORS = 16  # of a base, evenly spaced
ROUNDING = 0.01  # of an entry that was stored in bfloat16: 1/256, and in float16 less

Base = dict[str, tuple[list[int], float, float]]


def base(parts: Anatomy) -> Base:
    """Shapes and entries of some of the base's tensors by their names; of values only."""
    own = {id(p) for p in parts.base_parameters()}
    named = [
        (name, p)
        for name, p in parts.model.named_parameters()
        if id(p) in own and p.is_floating_point() and not p.is_meta
    ]
    some = named[:: max(1, math.ceil(len(named) / TENSORS))]
    return {
        name: (list(p.shape), p[(0,) * p.ndim].item(), p[(-1,) * p.ndim].item())
        for name, p in dict([*some, *named[-1:]]).items()
    }


def written(method: str, options: dict[str, Any], known: Base) -> Tensor:
    """The entry (bytes,) of a delta."""
    text = json.dumps({"method": method, "options": options, "base": known})
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def check(
    entry: Tensor | None,
    title: str,
    options: dict[str, Any],
    known: Base,
    tensors: dict[str, Tensor],
) -> None:
    """Refuse a delta that was made with other options, or on another base.

    A tensor of the base that is among the delta's own `tensors` may differ.

    Raises:
        ValueError: saying what differs, or that the delta does not tell.
    """
    if entry is None:
        raise ValueError(f"this delta does not fit {title}: it lacks its entry '{KEY}'")
    try:
        told = json.loads(bytes(entry.tolist()))
        made_with = dict(told["options"])
        made_on = {
            name: (list(shape), float(first), float(last))
            for name, (shape, first, last) in dict(told["base"]).items()
        }
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"this delta does not fit {title}: its '{KEY}' cannot be read") from None
    here = json.loads(json.dumps(options))
    for name, value in made_with.items():
        if here.get(name) != value:
            own = f"this {title} has {here.get(name)!r}"
            raise ValueError(f"this delta was made with {name} = {value!r}, {own}")
    for name, (shape, *entries) in made_on.items():
        if name in tensors or name not in known:
            continue
        own_shape, *own = known[name]
        if shape != own_shape:
            raise ValueError(f"this delta's base has {name} {shape}, this model has {own_shape}")
        pairs = zip(entries, own, strict=True)
        if not all(math.isclose(*pair, rel_tol=ROUNDING, abs_tol=1e-6) for pair in pairs):
            raise ValueError(f"this delta was made on another base: {name} differs in this model")
