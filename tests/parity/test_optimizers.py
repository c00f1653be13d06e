"""GaLore, LOMO and MeZO: the trained weights after a few steps of the official packages."""

from __future__ import annotations

import copy

import mezo
import pytest
import torch
from galore_torch import GaLoreAdamW
from lomo_optim import Lomo

from reference_impls.anatomy import anatomy
from reference_impls.core.method import trainable
from reference_impls.full_fine_tuning.galore.galore import GaLore, matrices
from reference_impls.full_fine_tuning.lomo.lomo import LOMO
from reference_impls.full_fine_tuning.mezo.mezo import MeZO
from tests.methods import models
from tests.parity.samples import difference

STEPS = 5
every_model = pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm", "t5-lm"])
compared = f"weights after {STEPS} steps"


def pair(name: str, method):
    """Our model with the method on it, and an equal one for the library."""
    model = models.build(name)
    other = copy.deepcopy(model)
    method.setup(model)
    batches = [models.batch(name, seed=seed) for seed in range(STEPS)]
    return model, other, batches


def weights(model) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def moved(model, name: str) -> float:
    return difference(weights(model), weights(models.build(name)))


@every_model
def test_galore(outcomes, name):
    method = GaLore(rank=3, period=2, alpha=0.7, lr=1e-3)
    model, other, batches = pair(name, method)
    optimizer = method.optimizer(model.parameters())
    projected = matrices(anatomy(other))
    plain = [p for p in other.parameters() if not any(p is matrix for matrix in projected)]
    group = {"rank": 3, "update_proj_gap": 2, "scale": 0.7, "proj_type": "std"}
    groups = [{"params": plain}, {"params": projected, **group}]
    library = GaLoreAdamW(groups, lr=1e-3, no_deprecation_warning=True)
    for batch in batches:
        for adapted, steps in ((model, optimizer), (other, library)):
            steps.zero_grad()
            adapted(**batch).loss.backward()
            steps.step()
    assert moved(model, name) > 1e-3
    outcomes.equal(
        "galore", "galore-torch", compared, name, difference(weights(model), weights(other))
    )


@every_model
@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_lomo(outcomes, name, clip):
    method = LOMO(clip=clip, lr=0.1)
    model, other, batches = pair(name, method)
    optimizer = method.optimizer(model.parameters())
    library = Lomo(other, lr=0.1, clip_grad_norm=clip or None)
    for batch in batches:
        optimizer.step(lambda batch=batch: model(**batch).loss)
        if clip:
            library.grad_norm(other(**batch).loss)
        library.fused_backward(other(**batch).loss, lr=0.1)
    assert moved(model, name) > 1e-3
    outcomes.equal("lomo", "lomo-optim", compared, name, difference(weights(model), weights(other)))


@every_model
def test_mezo(outcomes, name):
    method = MeZO(lr=1e-3, eps=1e-3)
    model, other, batches = pair(name, method)
    optimizer = method.optimizer(trainable(model))
    for step, batch in enumerate(batches):
        method.step(model, batch, optimizer, step)
    for (seed, _), batch in zip(method.moves, batches, strict=True):
        mezo.update(other, batch, lambda net, inputs: net(**inputs).loss, 1e-3, 1e-3, seed)
    assert moved(model, name) > 1e-3
    outcomes.equal("mezo", "mezo", compared, name, difference(weights(model), weights(other)))
