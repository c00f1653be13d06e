"""What the methods that train single entries of the model's own weights share: one mask.

Its entries are the `density` share of all `candidates`; a method says which. What it ships is the
new values and their positions, by the name of the tensor that they are in: so a delta can be read
on another model with the same base, such as one with another head.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..anatomy import Anatomy, anatomy, numel
from ..core import about
from ..core.batches import Batch, singles
from ..core.method import Method
from ..core.options import Share


@dataclass(kw_only=True)
class MaskedMethod(Method):
    """Base class: train the entries of the base's weights that `select` has put into the mask.

    Raises:
        ValueError: the density leaves nothing to train, or is above 1.
    """

    density: Share
    what: ClassVar[str] = "values"  # is stored, besides the positions

    def __post_init__(self) -> None:
        super().__post_init__()
        self._masks: dict[str, Tensor] = {}

    def candidates(self, parts: Anatomy) -> dict[str, nn.Parameter]:
        """The parameters that compete for the mask, by name: here all but the head's."""
        base = {id(p) for p in parts.base_parameters()}
        return {name: p for name, p in parts.model.named_parameters() if id(p) in base}

    def check(self, parts: Anatomy) -> None:
        if not self.trained(parts):
            raise ValueError(f"a density of {self.density} leaves no weight to train")

    def trained(self, parts: Anatomy) -> int:
        return int(self.density * numel(self.candidates(parts).values()))

    def stored(self, parts: Anatomy) -> int:
        return 2 * self.trained(parts)

    def on_grad(self, model, step: int) -> None:
        for name, mask in self._masks.items():
            gradient = model.get_parameter(name).grad
            if gradient is not None:
                gradient.mul_(mask)

    def tensors(self, model) -> dict[str, Tensor]:
        """Of each tensor with an entry in the mask: the new values, and their positions in it."""
        stored = {}
        for name, mask in self._masks.items():
            stored[f"{name}.positions"] = mask.flatten().nonzero().flatten()
            stored[f"{name}.values"] = model.get_parameter(name).detach()[mask]
        return stored

    def check_fit(self, model, tensors: dict[str, Tensor]) -> None:
        """Let any mask of these candidates pass."""
        candidates = self.candidates(anatomy(model))
        for name in names(tensors, self.what):
            positions, values = tensors[f"{name}.positions"], tensors[f"{name}.{self.what}"]
            size = candidates[name].numel() if name in candidates else 0
            if len(positions) != len(values) or positions.max() >= size or positions.min() < 0:
                raise ValueError(f"this delta does not fit {self.title}: {name}")

    @torch.no_grad()
    def put(self, model, tensors: dict[str, Tensor]) -> None:
        """Put stored values into the model; their positions replace the mask."""
        candidates = self.candidates(anatomy(model))
        chosen = {name: torch.zeros(p.numel(), dtype=torch.bool) for name, p in candidates.items()}
        for name in names(tensors):
            chosen[name][tensors[f"{name}.positions"].cpu()] = True
        self._mask(model, chosen)
        for name, mask in self._masks.items():
            parameter = model.get_parameter(name)
            parameter[mask] = tensors[f"{name}.values"].to(parameter)

    def select_largest(self, model, scores: Tensor) -> None:
        """Put the entries with the highest scores (n,), one of each candidate, into the mask."""
        if scores.numel() >= 2**32:
            scores = scores.cpu()  # torch's topk on a GPU fails there
        self.select(model, scores.topk(self.trained(anatomy(model))).indices)

    def select(self, model, positions: Tensor) -> None:
        """Give all weights their old values back and put `positions` (k,) into the mask.

        They count through all candidates, one tensor after another.
        """
        candidates = self.candidates(anatomy(model))
        chosen = torch.zeros(numel(candidates.values()), dtype=torch.bool)
        chosen[positions.cpu()] = True
        parts = chosen.split([p.numel() for p in candidates.values()])
        self._mask(model, dict(zip(candidates, parts, strict=True)))

    @torch.no_grad()
    def _mask(self, model, chosen: dict[str, Tensor]) -> None:
        for parameter, value in self._originals.items():
            parameter.copy_(value).requires_grad_(False)
        self._masks = {}
        for name, mask in chosen.items():
            if mask.any():
                parameter = model.get_parameter(name)
                self._masks[name] = mask.view(parameter.shape).to(parameter.device)
                self.train_base(parameter)


def names(stored: dict[str, Tensor], what: str = "values") -> list[str]:
    """The names of the tensors that something stored, or a whole delta, has entries of.

    Raises:
        ValueError: it is no pair of positions and `what` for each.
    """
    found = [key.removesuffix(".positions") for key in stored if key.endswith(".positions")]
    if stored.keys() - {about.KEY} != {
        f"{name}.{part}" for name in found for part in ("positions", what)
    }:
        raise ValueError(f"this delta does not fit: it is no pairs of positions and {what}")
    return found


def fisher_information(
    method: MaskedMethod, model: PreTrainedModel, batches: Iterable[Batch], samples: int
) -> Tensor:
    """Each candidate entry's squared gradient, the mean over `samples` single examples, (n,).

    Dropout is off meanwhile. Where there are fewer examples, a warning says how many.

    Raises:
        ValueError: there are none.
    """
    parameters = list(method.candidates(anatomy(model)).values())
    trained = [p.requires_grad for p in parameters]
    total = [torch.zeros_like(p, dtype=torch.float32) for p in parameters]
    was_training = model.training
    for parameter in parameters:
        parameter.requires_grad_(True)
    seen = 0
    for example in islice(chain.from_iterable(map(singles, batches)), samples):
        model.train().eval()  # LeViT keeps biases, and their graph, from one to the other
        loss = method.loss(model, example)
        gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
        for square, gradient in zip(total, gradients, strict=True):
            square += gradient.float() ** 2
        seen += 1
    for parameter, flag in zip(parameters, trained, strict=True):
        parameter.requires_grad_(flag)
    model.train(was_training)
    if not seen:
        raise ValueError(f"samples = {samples}: the data has no example")
    if seen < samples:
        warnings.warn(f"samples = {samples}: the data ended after {seen} examples", stacklevel=2)
    return flatten(total) / seen


def flatten(tensors: Iterable[Tensor]) -> Tensor:
    """All entries, one tensor after another, (n,)."""
    return torch.cat([tensor.flatten() for tensor in tensors])
