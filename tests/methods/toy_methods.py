"""A small method that keeps all of its promises, and for each promise one that breaks it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reference_impls.anatomy import Anatomy
from reference_impls.core.method import Method


class Added(nn.Module):
    """What is added to the output of a map."""

    def __init__(self, features: int, start: float = 0.0, spare: int = 0) -> None:
        super().__init__()
        self.row = nn.Parameter(start * torch.arange(features).float())
        if spare:
            self.spare = nn.Parameter(torch.zeros(spare))


def add(module: nn.Module, args: tuple, kwargs: dict, output: Tensor) -> Tensor:
    return output + module.added.row


class Shift(Method):
    """Adds a trained vector at the end of each feed-forward block; keeps all promises."""

    name, title, paper, leaf = "shift", "Shift", "nobody2026shift", "none"
    init_noop, mergeable, frozen_base = True, True, True
    start, spare, more = 0.0, 0, 0
    addition = staticmethod(add)

    def setup(self, model, batches=None) -> None:
        for layer in self.freeze(model).layers:
            module = layer.feed_forward_down.module
            self.attach(module, "added", Added(layer.width, self.start, self.spare))
            self.hook(module, self.addition)

    def trained(self, parts: Anatomy) -> int:
        return sum(layer.width + self.spare for layer in parts.layers) + self.more

    def stored(self, parts: Anatomy) -> int:
        return self.trained(parts)

    @torch.no_grad()
    def fold(self, model) -> None:
        for module in [m for m in model.modules() if hasattr(m, "added")]:
            if module.bias is None:
                module.bias = nn.Parameter(torch.zeros_like(module.added.row))
            module.bias.add_(module.added.row)


class Detached(Shift):
    """The same, taken off in place of being merged."""

    mergeable = False


class MiscountsTraining(Shift):
    def trained(self, parts: Anatomy) -> int:
        return super().trained(parts) + 1

    def stored(self, parts: Anatomy) -> int:
        return super().trained(parts)


class MiscountsStorage(Shift):
    def stored(self, parts: Anatomy) -> int:
        return super().trained(parts) - 1


class StandsStill(Shift):
    spare = 2


class StartsElsewhere(Shift):
    start = 1.0


class StartsElsewhereAndSaysSo(StartsElsewhere):
    init_noop = False


class MergesTwice(Shift):
    def fold(self, model) -> None:
        super().fold(model)
        super().fold(model)


class MergesAndLeaves(Shift):
    def release(self, model) -> None:
        super().release(model)
        model.left = nn.Parameter(torch.zeros(1))


class Leaves(Detached):
    def release(self, model) -> None:
        super().release(model)
        model.left = nn.Parameter(torch.zeros(1))


class LeavesAndSaysSo(Leaves):
    detachable = False


class Rounds(Detached):
    @torch.no_grad()
    def release(self, model) -> None:
        super().release(model)
        next(model.parameters())[-1].add_(1e-6)


def by_length(module: nn.Module, args: tuple, kwargs: dict, output: Tensor) -> Tensor:
    return output + module.added.row * output.shape[1]


class SeesPadding(Shift):
    addition = staticmethod(by_length)


def alone(module: nn.Module, args: tuple, kwargs: dict, output: Tensor) -> Tensor:
    return output + module.added.row * (100 if output.shape[1] == 1 else 1)


class SeesTheCache(Shift):
    addition = staticmethod(alone)


class CrashesAtOnce(Shift):
    def setup(self, model, batches=None) -> None:
        raise TypeError("no such thing")


class Refuses(Shift):
    def setup(self, model, batches=None) -> None:
        raise ValueError("this model has no wheels")


class CrashesLater(Shift):
    def before_step(self, model, step: int) -> None:
        raise KeyError("wheels")


class RefusesTooLate(Shift):
    def before_step(self, model, step: int) -> None:
        raise ValueError("this model has no wheels")


class Diverges(Shift):
    def step(self, model, batch, optimizer, step: int) -> float:
        return float("nan") if step == 2 else super().step(model, batch, optimizer, step)


class StandsAside(Shift):
    """What is trained is in nothing that runs."""

    mergeable = False

    def hook(self, *args: object, **kwargs: object) -> None:
        pass


class LosesTheGradient(Shift):
    def on_grad(self, model, step: int) -> None:
        for parameter in model.parameters():
            if parameter.grad is not None and parameter.requires_grad:
                parameter.grad[0] = 0
