"""Hooks that change hidden states, whatever a module returns beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch import Tensor, nn


def replaced(output: Any, states: Tensor) -> Any:
    """A module's output with other hidden states: a tensor, or what has them as its first."""
    if isinstance(output, Tensor):
        return states
    if isinstance(output, tuple):
        return (states, *output[1:])
    output[next(iter(output))] = states  # a ModelOutput
    return output


def on_states(hook: Callable[..., Tensor]) -> Callable[..., Any]:
    """Decorator of a forward hook that takes hidden states and returns others."""

    @wraps(hook)
    def changed(module: nn.Module, args: tuple, kwargs: dict, output: Any, **more: Any) -> Any:
        states = output if isinstance(output, Tensor) else output[0]
        return replaced(output, hook(module, args, kwargs, states, **more))

    return changed
