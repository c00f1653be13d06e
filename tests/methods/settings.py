"""How the contract builds each method: with the values of its card, and stand-ins for a task's."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path

import torch
from transformers import PreTrainedModel

from reference_impls.core.method import METHODS, Batch, Method, trainable
from reference_impls.core.registry import load_methods
from tests.methods import models
from tools.cards import Card, read_cards

NAMES = list(load_methods())
FOUND = read_cards(Path(__file__).parents[2])
CARDS = {name: FOUND.get(name, Card()) for name in NAMES}
CONTRACTS = {name: CARDS[name].contract for name in NAMES}
BASELINES = {card.baseline: name for name, card in CARDS.items() if card.baseline}
# where the paper's idea does not apply: part of the error that setup must raise
REFUSED = {
    (name, model): error
    for name, contract in CONTRACTS.items()
    for error, refused in contract.refused.items()
    for group in refused
    for model in models.GROUPS.get(group, (group,))
}
CASES = [
    (method, model) for method in NAMES for model in models.MODELS if (method, model) not in REFUSED
]


def make(name: str, model_name: str = "bert") -> Method:
    """The method with its card's arguments, and what it asks of its task."""
    return METHODS[name](**stand_ins(name, model_name), **CONTRACTS[name].arguments)


def stand_ins(name: str, model_name: str = "bert") -> dict[str, object]:
    """For each field that a task fills in: something for a model of `models.py`."""
    known = {
        "masked_lm": partial(models.build, "bert-mlm"),
        "verbalizer": ((5, 6), (7,)),
        "patterns": (((), (9, 4)), ((8, 4), (3,))),
        "mask_token": 4,
        "unlabeled": ((1, 10, 11, 12, 2), (1, 13, 14, 2), (1, 15, 16, 17, 18, 2)),
        "special_tokens": tuple(range(3, 13)),
        "sources": 2 * (lambda seed: batches(model_name),),
        "domains": 2 * (lambda seed: batches(model_name),),
    }
    return {f.name: known[f.name] for f in fields(METHODS[name]) if f.metadata.get("from_task")}


def batches(model_name: str) -> Iterator[Batch]:
    """Endless different batches for a model of `models.py`."""
    seed = 0
    while True:
        yield models.batch(model_name, seed=seed)
        seed += 1


def adapt(name: str, model_name: str, *, shaken: bool = True):
    """A fresh model with the method on it: (method, model); trained tensors shaken by default."""
    model = models.build(model_name)
    method = make(name)
    method.setup(model, batches(model_name))
    if shaken:
        shake(method, model)
    return method, model


@torch.no_grad()
def shake(method: Method, model: PreTrainedModel) -> PreTrainedModel:
    """Add noise to all that training changes; like a gradient it passes the method's mask."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:  # noise by name: whatever else is trained
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.grad = 0.1 * noise.to(parameter.dtype)
    method.on_grad(model, 0)
    for parameter in trainable(model):
        parameter.add_(parameter.grad)
        parameter.grad = None
    return model
