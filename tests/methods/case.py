"""A method on a kind of model, for the contract: what its promises look at is made once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from reference_impls.anatomy import anatomy
from reference_impls.core.method import Method, trainable
from tests.methods import models
from tests.methods.settings import adapt, batches

Adapted = tuple[Method, PreTrainedModel]


class Case:
    """A method and a kind of model; what its promises look at is made once."""

    def __init__(self, name: str, model_name: str, folder: Path) -> None:
        self.name, self.model_name, self.folder = name, model_name, folder
        self.inputs = models.batch(model_name)
        self.unlabeled = {k: v for k, v in self.inputs.items() if k != "labels"}
        self.generates = model_name in models.GENERATORS

    @cached_property
    def pristine(self) -> PreTrainedModel:
        """The model without the method; nobody changes it."""
        return models.build(self.model_name)

    @cached_property
    def shared(self) -> Adapted:
        """Adapted, shaken and in evaluation mode; whoever reads it leaves it so."""
        method, model = self.adapt()
        return method, model.eval()

    @cached_property
    def expected(self) -> Tensor:
        """The logits of the shared model."""
        return models.logits(self.shared[1], self.inputs)

    def adapt(self, *, shaken: bool = True) -> Adapted:
        """A fresh model with the method on it."""
        return adapt(self.name, self.model_name, shaken=shaken)

    def some_steps(self, method: Method, model: PreTrainedModel, steps: int = 3) -> None:
        """A few plain training steps, without the phases of `fit`."""
        optimizer = method.optimizer(trainable(model))
        source = batches(self.model_name)
        for step in range(steps):
            method.before_step(model, step)
            method.step(model, next(source), optimizer, step)

    def continued(self) -> tuple[str, dict[str, Tensor]]:
        """Which argument holds the tokens that a model continues, and arguments without padding."""
        inputs = {k: v[1:] for k, v in self.unlabeled.items() if not k.endswith("mask")}
        return ("input_ids" if len(inputs) == 1 else "decoder_input_ids"), inputs


def base_parameters(method: Method, model) -> dict[str, Tensor]:
    """The parameters that the model came with, head apart, by name."""
    parts = anatomy(model)
    added = {id(p) for parent, name in method._attached for p in getattr(parent, name).parameters()}
    head = {id(p) for p in parts.head_parameters()}
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if id(parameter) not in added | head
    }


def close(found: Tensor, expected: Tensor, within: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, atol=within, rtol=1e-5)
