"""A model without the values of its weights: it takes next to no memory, and its forward no time.

Token ids, positions and masks keep their values, as tensors on the processor, so that code which
looks at them goes on.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from .alike import is_own


def skeleton(model: nn.Module, hollow: Iterable[str] = ()) -> nn.Module:
    """A copy without the weights' values and without hooks; buffers are shared, as they are.

    The modules that are named `hollow` have nothing in them: they are not to run.
    """
    memo: dict[int, Any] = {}
    hollow = {model.get_submodule(name) for name in hollow}
    for module in _around(model, hollow):
        for parameter in module.parameters(recurse=False):
            empty = torch.empty(parameter.shape, dtype=parameter.dtype, device="meta")
            memo.setdefault(id(parameter), nn.Parameter(empty, requires_grad=False))
        # buffers, and what a module keeps otherwise; a tensor that has only a shape is not copied
        held = (t for t in tree_leaves(vars(module)) if isinstance(t, Tensor))
        for tensor in (t for t in held if not isinstance(t, nn.Parameter)):
            known = type(tensor) is Tensor and not tensor.is_meta
            shape, dtype = tensor.shape, tensor.dtype
            memo[id(tensor)] = (
                tensor.detach().cpu() if known else torch.empty(shape, dtype=dtype, device="meta")
            )
        for name, value in vars(module).items():
            if "hooks" in name and isinstance(value, dict):
                memo[id(value)] = OrderedDict()
        memo[id(vars(module).get("adapted_by"))] = None
    for module in hollow:
        empty = memo[id(module)] = type(module).__new__(type(module))
        nn.Module.__init__(empty)
        own = {key: value for key, value in vars(module).items() if is_own(key)}
        vars(empty).update(copy.deepcopy(own, memo))
    copied = copy.deepcopy(model, memo).eval()
    for module in copied.modules():
        vars(module).pop("forward", None)  # that of a wrapper, which knows the original
        for name in vars(module).get("_added", ()):
            delattr(module, name)
        if hasattr(module, "config"):
            module.config.use_cache, module.config.output_hidden_states = False, True
    return copied


def _around(module: nn.Module, hollow: set[nn.Module]) -> Iterable[nn.Module]:
    """The modules of a model, without those that are left hollow and what is in them."""
    if module not in hollow:
        yield module
        for child in module.children():
            yield from _around(child, hollow)
