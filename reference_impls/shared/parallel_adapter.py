"""What the methods share whose adapter runs beside the feed-forward block, on the same input."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..anatomy import Layer
from ..core.method import Method
from .outputs import on_states


class ParallelAdapter(nn.Module):
    """x (…, d) -> scale · up(ReLU(down(x))); `branch` waits for the block beside it to end.

    Without a `scale` it is learned, from 1. The start is LoRA's (He et al. 2022, appendix A.2): the
    way down at random, all else zero.
    """

    def __init__(self, width: int, size: int, scale: float | None, dropout: float) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        self.dropout = nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.ones(())) if scale is None else scale
        self.branch: Tensor | None = None
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        for start in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(start)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.dropout(self.down(x.to(self.down.weight.dtype)).relu())
        return self.scale * self.up(hidden)

    def __getstate__(self) -> dict:
        # a checkpointed backward stops recomputing early and can leave a branch behind
        return {**super().__getstate__(), "branch": None}


def attach_beside(method: Method, layer: Layer, adapter: ParallelAdapter) -> None:
    """Let the adapter read what the feed-forward block reads, and add to what that returns."""
    for place in dict.fromkeys((layer.feed_forward_input, layer.feed_forward_end)):
        method.attach(place, "parallel", adapter)
    method.hook(layer.feed_forward_input, fork, before=True)
    method.hook(layer.feed_forward_end, join)


def fork(module: nn.Module, args, kwargs) -> None:
    """Forward pre-hook where the feed-forward block begins."""
    adapter = module.get_submodule("parallel")
    adapter.branch = adapter(args[0])


@on_states
def join(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook where it ends."""
    adapter = module.get_submodule("parallel")
    branch, adapter.branch = adapter.branch, None
    return output + branch.to(output.dtype).view_as(output)  # experts may flatten their tokens
