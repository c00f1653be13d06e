"""Layers that are alike: the first is watched, and what is found in it holds for the others.

Two layers are alike if they have the same class, the same shapes and the same settings in every
module, but for the number of the layer. They stay so only while they are called alike, too: with
the same shapes, and the same values of what has values. Where that ends, all layers are watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from .found import Found

# what a module holds, and what a method or a wrapper put on it
NOT_ITS_OWN = {"_parameters", "_buffers", "_modules", "training", "adapted_by", "_added", "forward"}


class DifferentError(Exception):
    """Layers that are like the `first` one are not called like it."""

    def __init__(self, first: str) -> None:
        self.first = first


def twins(module: nn.Module, name: str = "") -> Iterator[tuple[str, str]]:
    """The layers of outermost lists, by name, each with the first one that it is like."""
    for key, child in module.named_children():
        path = f"{name}.{key}" if name else key
        if not isinstance(child, nn.ModuleList):
            yield from twins(child, path)
            continue
        kinds: list[int] = []
        for i, layer in enumerate(child):
            first = next((j for j in kinds if _alike(child[j], layer, i - j)), None)
            if first is None:
                kinds.append(i)
            else:
                yield f"{path}.{i}", f"{path}.{first}"


def _alike(one: nn.Module, other: nn.Module, apart: int) -> bool:
    """Whether two modules differ in nothing but what they hold, and the number of their layer."""
    if type(one) is not type(other):
        return False
    mine, its = ({k: v for k, v in vars(m).items() if is_own(k)} for m in (one, other))
    if mine.keys() != its.keys() or not all(_same(k, mine[k], its[k], apart) for k in mine):
        return False
    for held in ("_parameters", "_buffers"):
        mine, its = vars(one)[held], vars(other)[held]
        if mine.keys() != its.keys() or not all(same_tensors(mine[k], its[k]) for k in mine):
            return False
    mine, its = (_children(module) for module in (one, other))
    return mine.keys() == its.keys() and all(_alike(mine[k], its[k], apart) for k in mine)


def is_own(key: str) -> bool:
    """Whether an attribute of a module is a setting of the module itself."""
    return key not in NOT_ITS_OWN and "hooks" not in key


def _children(module: nn.Module) -> dict[str, nn.Module]:
    added = vars(module).get("_added", ())
    return {name: child for name, child in vars(module)["_modules"].items() if name not in added}


def _same(key: str, one: Any, other: Any, apart: int) -> bool:
    if one is other:
        return True
    if type(one) is not type(other) or not isinstance(one, (int, float, str, tuple, list, set)):
        return False
    counts = type(one) is int and ("layer" in key or key.endswith(("idx", "index")))
    return one == other or (counts and other - one == apart)


def same_tensors(one: Tensor | None, other: Tensor | None) -> bool:
    """Whether two tensors differ in nothing but what a weight holds."""
    if one is other or one is None or other is None:
        return one is other
    if (one.shape, one.dtype, one.is_meta) != (other.shape, other.dtype, other.is_meta):
        return False
    return isinstance(one, nn.Parameter) or one.is_meta or torch.equal(one, other)


class Kind:
    """What the layers of a kind do instead of their forward: the first runs, others do the like."""

    def __init__(self, name: str, forward: Callable) -> None:
        self.name, self.forward = name, forward
        self.given: list[Any] | None = None

    def first(self, *args: Any, **kwargs: Any) -> Any:
        """Run the layer, and keep what it was given and returned."""
        self.given, self.form = tree_flatten((args, kwargs))
        output = self.forward(*args, **kwargs)
        self.returned, self.output_form = tree_flatten(output)
        return output

    def other(self, *args: Any, **kwargs: Any) -> Any:
        """What the first layer returned, anew.

        Raises:
            DifferentError: this layer is given something else, or returns more than shapes.
        """
        given, form = tree_flatten((args, kwargs))
        if self.given is None or form != self.form or not all(map(_like, self.given, given)):
            raise DifferentError(self.name)
        passed = {id(one): other for one, other in zip(self.given, given)}
        if not all(id(r) in passed or r is None or _is_bare(r) for r in self.returned):
            raise DifferentError(self.name)
        returned = [passed[id(r)] if id(r) in passed else _anew(r) for r in self.returned]
        return tree_unflatten(returned, self.output_form)


def _like(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return same_tensors(one, other)
    return one is other or (type(one) is type(other) and bool(one == other))


def _is_bare(value: Any) -> bool:
    """Whether it is a tensor that has a shape and no values."""
    return isinstance(value, Tensor) and value.is_meta


def _anew(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.clone()


def spread(found: Found, alike: dict[str, str], order: dict[str, int]) -> Found:
    """What was found, of the layers too that were not watched; names in the model's order."""
    layers, norms = list(found.layers), list(found.norms)
    for name, first in alike.items():
        layers += [_renamed(x, first, name) for x in found.layers if _in(x.block, first)]
        norms += [_renamed(norm, first, name) for norm in found.norms if _in(norm, first)]
    layers.sort(key=lambda layer: order[layer.block])
    return replace(found, layers=layers, norms=tuple(sorted(norms, key=order.__getitem__)))


def _in(path: str, name: str) -> bool:
    return f"{path}.".startswith(f"{name}.")


def _renamed(value: Any, old: str, new: str) -> Any:
    """The same with the names of one module, and of what is in it, in place of another's."""
    if isinstance(value, str):
        named = new + value.removeprefix(old) if _in(value, old) else value
        return named.replace(f"'{old}.", f"'{new}.")  # in a reason
    if isinstance(value, dict):
        return {key: _renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_renamed(item, old, new) for item in value)
    if is_dataclass(value):
        return replace(
            value, **{f.name: _renamed(getattr(value, f.name), old, new) for f in fields(value)}
        )
    return value
