"""The bytes that are alive while a program runs, and their peak."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Live(TorchDispatchMode):
    """While it is entered, counts the memory of each tensor that an operation makes, until it dies.

    peak: the most bytes at a time. What was there before does not count, nor what an operation
    takes for itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if _real(t)}
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if _real(tensor) and (storage := tensor.untyped_storage())._cdata not in before:
                self._add(storage)
        return made

    def _add(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, size)

    def _free(self, size: int) -> None:
        self.now -= size


def _real(value: Any) -> bool:
    return isinstance(value, Tensor)
