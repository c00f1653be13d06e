"""How the contract builds each method: values away from the defaults that hide bugs."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import fields
from functools import partial

import torch
from transformers import PreTrainedModel

from reference_impls.core.method import METHODS, Batch, Method, trainable
from reference_impls.core.registry import load_methods
from tests.methods import models

NAMES = list(load_methods())
ARGUMENTS: dict[str, dict[str, object]] = {
    "adapterdrop": {"size": 5, "dropped": 1, "robust": False},
    "adapterfusion": {"size": 5},
    "adaptersoup": {
        "size": 5,
        "samples": 6,
        "unlabeled": ((1, 10, 11, 12, 2), (1, 13, 14, 2), (1, 15, 16, 17, 18, 2)),
    },
    "child_tuning_d": {"density": 0.3, "samples": 6},
    "compacter": {"size": 12},
    "diff_pruning": {"density": 0.05},
    "fish_mask": {"density": 0.05, "samples": 6},
    "galore": {"rank": 3, "period": 2, "lr": 1e-3},
    "houlsby": {"size": 5},
    "ladder_side_tuning": {"reduction": 2},
    "lomo": {"clip": 0.5},
    "lt_sft": {"density": 0.05},
    "pasta": {"special_tokens": tuple(range(3, 13)), "vectors": 16, "dropout": 0.0},
    "pet": {
        "masked_lm": partial(models.build, "bert-mlm"),
        "verbalizer": ((5, 6), (7,)),
        "patterns": (((), (9, 4)), ((8, 4), (3,))),
        "mask_token": 4,
        "unlabeled": ((1, 10, 11, 12, 2), (1, 13, 14, 2), (1, 15, 16, 17, 18, 2)),
    },
    "mezo": {"samples": 2, "lr": 1e-3},
    "mixout": {"p": 0.2},
    "p_tuning": {"template": (2, 1)},
    "p_tuning_v2": {"length": 3},
    "parallel_adapter": {"size": 5, "scale": 3.0, "dropout": 0.0},
    "pfeiffer": {"size": 5},
    "mam": {"prefix_length": 3, "bottleneck": 5, "size": 6, "scale": 3.0, "dropout": 0.0},
    "prefix_tuning": {"length": 3, "bottleneck": 5},
    "prompt_tuning": {"length": 3, "verbalizer": ((5,), (6, 7))},
    "qlora": {"r": 3, "alpha": 7.0, "dropout": 0.0},
    "unipelt": {"r": 3, "prefix_length": 4, "bottleneck": 5, "size": 6},
    "lora": {"r": 3, "alpha": 7.0, "targets": ("query", "key", "value", "feed_forward_down")},
}
# where the paper's idea does not apply: part of the error that setup must raise
REFUSED: dict[tuple[str, str], str] = {
    **{
        ("bitfit", name): "has none"
        for name in ("llama", "llama-lm", "mistral-lm", *models.ENCODER_DECODERS)
    },
    **{
        ("pet", name): "classifier on a masked"
        for name in ("bert-mlm", *models.CAUSAL, *models.ENCODER_DECODERS)
    },
    **{("p_tuning", name): "no template" for name in models.ENCODER_DECODERS},
    **{("unipelt", name): "causal" for name in (*models.CAUSAL, *models.ENCODER_DECODERS)},
}
CASES = [
    (method, model) for method in NAMES for model in models.MODELS if (method, model) not in REFUSED
]


def make(name: str, model_name: str = "bert") -> Method:
    """The method with the arguments of this file, its source tasks for a model of `models.py`."""
    arguments = dict(ARGUMENTS.get(name, {}))
    if "sources" in {field.name for field in fields(METHODS[name])}:
        arguments["sources"] = 2 * (lambda seed: batches(model_name),)
    if "domains" in {field.name for field in fields(METHODS[name])}:
        arguments["domains"] = 2 * (lambda seed: batches(model_name),)
    return METHODS[name](**arguments)


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
