"""What the methods share that add a product of two thin matrices to a projection."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..anatomy import Projection


class LowRank(nn.Module):
    """x (…, d_in) -> scale · B A x, zero where the module's output is not the projection's.

    B starts at zero, A at random (Hu et al. 2021, §4.1, as loralib draws it).
    """

    def __init__(self, projection: Projection, r: int, scale: float, dropout: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.empty(r, projection.d_in))
        self.b = nn.Parameter(torch.zeros(projection.d_out, r))
        self.scale, self.widen = scale, projection.widen
        self.dropout = nn.Dropout(dropout)
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        update = self.scale * (self.dropout(x.to(self.a.dtype)) @ self.a.T) @ self.b.T
        return self.widen(update)


def low_rank_count(projections: Iterable[Projection], r: int) -> int:
    """Numbers in A and B of all projections."""
    return sum(r * (p.d_in + p.d_out) for p in projections)
