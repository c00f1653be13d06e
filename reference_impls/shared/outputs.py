"""Hooks that change hidden states, whatever a module returns beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import Tensor, nn


def replaced(output: Any, states: Tensor) -> Any:
    """A module's output with other hidden states: a tensor, or what has them as its first.

    Where they are the last of all hidden states as well, there too: DeBERTa reads them there.
    """
    if isinstance(output, Tensor):
        return states
    old, items = output[0], output if isinstance(output, tuple) else output.to_tuple()
    new = tuple(_with_last(item, old, states) for item in items)
    if isinstance(output, tuple):
        return new
    for key, item in zip(output.keys(), new, strict=True):  # a ModelOutput
        output[key] = item
    return output


def _with_last(item: Any, old: Tensor, new: Tensor) -> Any:
    if item is old:
        return new
    ends_so = isinstance(item, (tuple, list)) and len(item) and item[-1] is old
    return type(item)((*item[:-1], new)) if ends_so else item


def on_states(hook: Callable[..., Tensor]) -> Callable[..., Any]:
    """Decorator of a forward hook that takes hidden states and returns others."""

    @wraps(hook)
    def changed(module: nn.Module, args: tuple, kwargs: dict, output: Any, **more: Any) -> Any:
        states = output if isinstance(output, Tensor) else output[0]
        return replaced(output, hook(module, args, kwargs, states, **more))

    return changed
