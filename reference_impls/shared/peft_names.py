"""How peft's configurations name modules."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def names_of(model: nn.Module) -> dict[nn.Module, str]:
    """The name of each module."""
    return {module: name for name, module in model.named_modules()}


def suffixes(model: nn.Module, names: Sequence[str]) -> list[str]:
    """The shortest ends of the names that name no other module, as peft and vLLM look for them."""
    every = [name for name, _ in model.named_modules()]
    for parts in range(1, max(name.count(".") for name in names) + 1):
        ends = {".".join(name.split(".")[-parts:]) for name in names}
        if {n for n in every if any(n == e or n.endswith(f".{e}") for e in ends)} == {*names}:
            return sorted(ends)
    return sorted(names)
