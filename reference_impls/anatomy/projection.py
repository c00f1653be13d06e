"""A linear map of a model: all that a module returns, or some of its features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Projection:
    """A linear map from `d_in` to `d_out` features: some of the outputs of `module`.

    GPT-2 computes query, key and value with one module, of which each is a slice; GPT-NeoX does so
    head by head, so that a query is many slices: `runs` of (start, stop). `Conv1D` stores the
    weight as (d_in, d_out), `nn.Linear` as (d_out, d_in).
    """

    module: nn.Module
    runs: Runs

    @property
    def d_in(self) -> int:
        weight = self.module.weight
        return weight.shape[0] if isinstance(self.module, Conv1D) else weight.shape[1]

    @property
    def d_out(self) -> int:
        return sum(stop - start for start, stop in self.runs)

    @property
    def columns(self) -> slice | Tensor:
        """The features of the module's output that belong to this projection."""
        if len(self.runs) == 1:
            return slice(*self.runs[0])
        return torch.cat([torch.arange(*run) for run in self.runs])

    @property
    def weight(self) -> Tensor:
        """The (d_out, d_in) weight. A view where the columns are one slice, else a copy."""
        weight = self.module.weight
        return (weight.T if isinstance(self.module, Conv1D) else weight)[self.columns]

    @property
    def bias(self) -> Tensor | None:
        """The (d_out,) bias, as `weight`, or None where the projection has none."""
        return None if self.module.bias is None else self.module.bias[self.columns]

    @torch.no_grad()
    def write(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """Replace the weight (d_out, d_in), and the bias where one is given, in the model."""
        own = self.module.weight
        (own.T if isinstance(self.module, Conv1D) else own)[self.columns] = weight.to(own.dtype)
        if bias is not None:
            self.module.bias[self.columns] = bias.to(self.module.bias.dtype)

    @property
    def widen(self) -> Widen:
        """What puts d_out features at their places in the module's whole output."""
        return Widen(self.runs, width(self.module))


@dataclass(frozen=True)
class Widen:
    """x (…, d_out) -> (…, width): its features in their `runs`, `fill` elsewhere."""

    runs: Runs
    width: int

    def __call__(self, x: Tensor, fill: float = 0.0) -> Tensor:
        if len(self.runs) == 1:
            start, stop = self.runs[0]
            return nn.functional.pad(x, (start, self.width - stop), value=fill)
        places = torch.cat([torch.arange(*run, device=x.device) for run in self.runs])
        return x.new_full((*x.shape[:-1], self.width), fill).index_copy(-1, places, x)


def whole(module: nn.Module) -> Projection:
    """All that a linear module returns."""
    return Projection(module, ((0, width(module)),))


def width(module: nn.Module) -> int:
    """The number of features that a linear module returns."""
    return module.weight.shape[1 if isinstance(module, Conv1D) else 0]
