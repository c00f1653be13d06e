"""Child-Tuning-F: what its mask does to gradients, and what Adam makes of that."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from transformers import BertConfig

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import Method, trainable
from reference_impls.selective.child_tuning_f.child_tuning_f import ChildTuningF
from tests.methods import models
from tests.methods.settings import batches

P = 0.25


def flat(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def adapted(name: str = "bert", **arguments):
    """A model with the method on it, and its optimizer."""
    model = models.build(name)
    method = ChildTuningF(**{"p": P, "lr": 1e-2} | arguments)
    method.setup(model)
    torch.manual_seed(0)
    return method, model, method.optimizer(trainable(model))


def masked(gradient: torch.Tensor) -> torch.Tensor:
    """What the optimizer sees of a gradient."""
    parameter = torch.nn.Parameter(torch.zeros_like(gradient))
    optimizer = ChildTuningF(p=P, lr=0.0).optimizer([parameter])
    parameter.grad = gradient.clone()
    optimizer.step()
    return parameter.grad


def test_an_entry_passes_divided_by_p_or_not_at_all():
    torch.manual_seed(0)
    gradient = torch.randn(50, 40)
    seen = masked(gradient)
    passed = seen != 0
    torch.testing.assert_close(seen[passed], gradient[passed] / P)
    for dimension in (0, 1):  # entries, not rows or columns
        assert passed.any(dimension).all()


def test_the_expected_gradient_is_the_gradient():
    torch.manual_seed(1)
    gradient = torch.randn(7)
    draws = masked(gradient.repeat(200_000, 1))
    error = draws.std(0) / math.sqrt(len(draws))
    assert ((draws.mean(0) - gradient).abs() < 5 * error).all()
    share = (draws != 0).float().mean()
    assert abs(share - P) < 5 * math.sqrt(P * (1 - P) / draws.numel())


def test_each_step_has_a_mask_of_its_own():
    torch.manual_seed(2)
    first, second = (masked(torch.ones(10_000)) != 0 for _ in range(2))
    both = (first & second).float().mean()
    assert abs(both - P**2) < 5 * math.sqrt(P**2 * (1 - P**2) / 10_000)


@pytest.mark.parametrize("name", ["bert", "gpt2-lm"])
def test_with_p_one_it_is_fine_tuning_to_the_bit(name):
    class Plain(Method):
        title = "plain fine-tuning"

    method, model, optimizer = adapted(name, p=1.0)
    plain, twin = Plain(lr=1e-2), models.build(name)
    other = plain.optimizer(trainable(twin))
    for step in range(4):
        batch = models.batch(name, seed=step)
        method.step(model, batch, optimizer, step)
        plain.step(twin, batch, other, step)
    assert torch.equal(flat(model), flat(twin))
    assert not torch.equal(flat(model), flat(models.build(name)))


def test_what_the_mask_held_back_stays_in_the_first_step_and_drifts_in_the_second():
    """Adam's momentum moves an entry whose gradient of this step is masked, weight decay none."""
    method, model, optimizer = adapted()
    states, masks = [flat(model)], []
    for step in range(2):
        method.step(model, models.batch("bert", seed=step), optimizer, step)
        states.append(flat(model))
        masks.append(torch.cat([(p.grad != 0).flatten() for p in model.parameters()]))
    moved = [before != after for before, after in pairwise(states)]
    assert not (moved[0] & ~masks[0]).any()
    drifted = masks[0] & ~masks[1]
    assert drifted.sum() > 1000
    assert moved[1][drifted].float().mean() > 0.99
    assert not (moved[1] & ~masks[0] & ~masks[1]).any()


def test_the_head_is_masked_too():
    method, model, optimizer = adapted()
    before = model.classifier.weight.detach().clone()
    method.step(model, models.batch("bert"), optimizer, 0)
    share = (model.classifier.weight != before).float().mean()
    assert 0 < share < 0.6


def test_the_mask_comes_after_clipping(monkeypatch):
    class Steep(ChildTuningF):
        def loss(self, model, batch):
            return 1000 * super().loss(model, batch)

    model = models.build("bert")
    method = Steep(p=P)
    method.setup(model)
    monkeypatch.setattr(torch, "bernoulli", torch.ones_like)
    method.step(model, models.batch("bert"), method.optimizer(trainable(model)), 0)
    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    assert norm.item() == pytest.approx(1 / P, rel=1e-3)  # clipped to norm 1, then divided by p


def test_all_of_the_model_is_trained():
    method, model, optimizer = adapted()
    source = batches("bert")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for step in range(8):
        method.step(model, next(source), optimizer, step)
    assert all(not torch.equal(p, before[name]) for name, p in model.named_parameters())
    parts = anatomy(model_on_meta(BertConfig()))
    assert ChildTuningF().trained(parts) == numel(parts.base_parameters()) == 109_482_240


def test_rate_and_warm_up_are_those_of_the_official_script():
    method = ChildTuningF()
    assert (method.lr, method.p) == (4e-5, 0.3)
    assert [method.schedule(x) for x in (0, 0.05, 0.1, 0.55)] == pytest.approx([0, 0.5, 1, 0.5])


@pytest.mark.parametrize("p", [0.0, -0.1, 1.5])
def test_a_chance_that_is_none_is_refused(p):
    model = models.build("bert")
    with pytest.raises(ValueError, match=r"p = .*above 0, at most 1"):
        ChildTuningF(p=p).setup(model)
    assert all(parameter.requires_grad for parameter in model.parameters())
