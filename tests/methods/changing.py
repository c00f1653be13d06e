"""Promises of every method that train or change a model, each one of its own."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from reference_impls.anatomy import anatomy
from reference_impls.core.method import Method, trainable
from reference_impls.core.training import Loop, train
from tests.methods import models
from tests.methods.case import Case, base_parameters, close
from tests.methods.settings import CONTRACTS, batches, make, shake


def head_of(model: PreTrainedModel) -> torch.nn.ModuleList:
    return torch.nn.ModuleList(anatomy(model).head)


def training_keeps_the_base_and_a_delta_brings_it_back(case: Case) -> None:
    """Training leaves the base as it was iff declared; its delta on a fresh base, from a file,
    gives the same outputs; and that is taken back, or merged."""
    method, model = case.adapt()
    before = {k: v.detach().clone() for k, v in base_parameters(method, model).items()}
    case.some_steps(method, model)
    after = base_parameters(method, model)
    changed = [k for k in before if not torch.equal(before[k], after[k])]
    assert (not changed) == method.frozen_base, changed[:3]

    save_file(method.delta(model), case.folder / "delta.safetensors")
    other, fresh = case.adapt(shaken=False)
    head_of(fresh).load_state_dict(head_of(model).state_dict())
    other.load_delta(fresh, load_file(case.folder / "delta.safetensors"))
    expected = models.logits(model.eval(), case.inputs)
    assert torch.equal(models.logits(fresh.eval(), case.inputs), expected)

    detaching_restores_the_model(case, method, model)
    merging_is_exact_where_declared(case, other, fresh, expected)


def detaching_restores_the_model(case: Case, method: Method, model: PreTrainedModel) -> None:
    if not method.detachable:
        with pytest.raises(ValueError, match="reload"):
            method.detach(model)
        return
    method.detach(model)
    state, expected = model.state_dict(), case.pristine.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    found = models.logits(model.eval(), case.inputs)
    assert torch.equal(found, models.logits(case.pristine, case.inputs))


def merging_is_exact_where_declared(
    case: Case, method: Method, model: PreTrainedModel, before: Tensor
) -> None:
    if not method.mergeable:
        with pytest.raises(ValueError, match="cannot be merged"):
            method.merge(model)
        return
    method.merge(model)
    assert model.state_dict().keys() == case.pristine.state_dict().keys()
    close(models.logits(model, case.inputs), before, within=2e-5)
    with pytest.raises(ValueError, match="merged already"):
        method.merge(model)


def training_goes_on_from_a_delta(case: Case) -> None:
    """At a rate of next to nothing it stays where the delta put it: nothing is found anew."""
    method, model = case.adapt()
    again, fresh = case.adapt(shaken=False)
    again.load_delta(fresh, method.delta(model))
    head_of(fresh).load_state_dict(head_of(model).state_dict())
    for option in fields(again):
        if option.name.endswith("lr"):
            setattr(again, option.name, 1e-12)
    loop = Loop(lambda seed: batches(case.model_name), steps=2, progress=False)
    try:
        again.fit(fresh, loop)
    except ValueError as error:
        assert "not trained on" in str(error)  # noqa: PT017
        return
    close(models.logits(fresh.eval(), case.inputs), case.expected, within=1e-4)


def gradients_do_not_change_with_checkpointing(case: Case) -> None:
    gradients = []
    for checkpointing in (False, True):
        method, model = case.adapt()
        model.train()
        if checkpointing:
            model.activation_checkpointing_enable()
        method.before_step(model, 0)
        method.loss(model, case.inputs).backward()
        gradients.append([p.grad for p in trainable(model)])
    for plain, checkpointed in zip(*gradients, strict=True):
        # the largest difference is 4e-6, in float64 1e-14: T5 adds up its shared position bias anew
        close(plain, checkpointed)


def a_bfloat16_base_is_finite_and_close(case: Case) -> None:
    outputs, deltas = [], []
    for dtype in (torch.float32, torch.bfloat16):
        # both start from the same rounded weights: only the precision of the computation differs
        model = models.build(case.model_name).to(torch.bfloat16).to(dtype)
        method = make(case.name, case.model_name)
        method.setup(model, batches(case.model_name))
        shake(method, model).eval()
        deltas.append(method.delta(model))
        method.load_delta(model, deltas[0])  # a mask may rank other weights in other precision
        outputs.append(models.logits(model, case.inputs).float())
    reference, output = outputs
    assert output.isfinite().all()
    assert (output - reference).abs().mean() < 0.02 * reference.abs().max()
    method.loss(model, case.inputs).backward()
    assert all(p.grad.isfinite().all() for p in trainable(model))


def the_same_seed_gives_the_same_weights(case: Case) -> None:
    states = []
    for _ in range(2):
        model = models.build(case.model_name)
        loop = Loop(lambda seed: batches(case.model_name), steps=2, seed=5, progress=False)
        train(make(case.name, case.model_name), model, loop)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def all_that_setup_adds_is_on_the_models_device(case: Case) -> None:
    if CONTRACTS[case.name].setup_needs_values:
        return
    model = models.build(case.model_name).to("meta")
    make(case.name, case.model_name).setup(model)
    assert {p.device.type for p in (*model.parameters(), *model.buffers())} == {"meta"}
