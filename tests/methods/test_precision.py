"""Who owns the precision of what is trained: float32 copies, or the weights themselves."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from reference_impls.core.method import METHODS, trainable
from reference_impls.core.training import Loop, optimizer_of, train
from reference_impls.full_fine_tuning.full_fine_tuning.full_fine_tuning import FullFineTuning
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods import models
from tests.methods.settings import CASES, batches, make


def loop_of(model_name: str, steps: int = 2) -> Loop:
    return Loop(lambda seed: batches(model_name), steps=steps, progress=False)


@pytest.mark.parametrize(("name", "model_name"), CASES)
def test_float16_is_refused_before_the_model_is_touched(name, model_name):
    model = models.build(model_name).to(torch.float16)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    flags = [p.requires_grad for p in model.parameters()]
    with pytest.raises(ValueError, match=f"{name}: .*float16: load the model in bfloat16 or"):
        train(make(name, model_name), model, loop_of(model_name))
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == flags


def test_a_later_phase_in_float16_is_refused_too():
    method, model = LoRA(), models.build("bert").to(torch.float16)
    method.setup(model)
    with pytest.raises(ValueError, match="float16"):
        method.fit(model, loop_of("bert"))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_bfloat16_trains_as_float32_does_or_the_method_says_that_it_does_not(name):
    """A step of the optimizer on a 16-bit weight is that on its float32 copy, rounded."""
    model_name = next(model for method, model in CASES if method == name)
    method = make(name, model_name)
    model = models.build(model_name).to(torch.bfloat16)
    method.setup(model, batches(model_name))
    model.train()
    optimizer = optimizer_of(method, model)
    moved = [p for group in optimizer.param_groups for p in group["params"]]
    narrow = [p for p in trainable(model) if p.dtype == torch.bfloat16]
    own = {id(p) for p in trainable(model)}
    if not method.float32_copies:
        assert all(id(p) in own for p in moved)
        return
    assert all(p.dtype == torch.float32 for p in moved)
    method.before_step(model, 0)
    method.step(model, next(batches(model_name)), optimizer, 0)
    rounded = [p.detach().bfloat16() for p in moved if id(p) not in own]
    for parameter in narrow:
        alike = [value for value in rounded if value.shape == parameter.shape]
        assert any(torch.equal(value, parameter) for value in alike)
    assert all(p.grad is None for p in narrow)


class InPlace(FullFineTuning):
    float32_copies = False


def moved_weights(kind: type[FullFineTuning], dtype: torch.dtype) -> torch.Tensor:
    """How much each weight of a model's projections moved in 20 steps of 1e-4 at most."""
    model = models.build("llama-lm").to(torch.bfloat16).to(dtype)
    before = copy.deepcopy(model.state_dict())
    train(kind(lr=1e-4, warmup=0.0), model, loop_of("llama-lm", steps=20))
    after = model.state_dict()
    changes = [after[key].float() - before[key].float() for key in before if "proj" in key]
    return torch.cat([change.flatten() for change in changes])


def test_small_steps_add_up_in_bfloat16():
    """Weights here are near 0.1, where bfloat16 moves by 5e-4 or not at all."""
    exact = moved_weights(FullFineTuning, torch.float32)

    def share(kind):
        moved = moved_weights(kind, torch.bfloat16)
        return float((moved * exact).sum() / (exact * exact).sum())

    assert share(FullFineTuning) == pytest.approx(1.0, abs=0.15)
    assert share(InPlace) < 0.5


def test_what_is_float32_has_no_copy():
    model, method = models.build("bert"), LoRA()
    method.setup(model)
    moved = optimizer_of(method, model).param_groups[0]["params"]
    assert [id(p) for p in moved] == [id(p) for p in trainable(model)]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_training(bad):
    class Broken(LoRA):
        def loss(self, model, batch):
            return super().loss(model, batch) * bad

    with pytest.raises(ValueError, match=f"lora: the loss of step 1 is {bad}"):
        train(Broken(), models.build("bert"), loop_of("bert"))


def test_data_that_ends_is_refused_with_the_step():
    loop = Loop(lambda seed: iter([models.batch("bert")] * 3), steps=5, progress=False)
    with pytest.raises(ValueError, match="the data ended after 3 of 5 steps"):
        train(LoRA(), models.build("bert"), loop)
