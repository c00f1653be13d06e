"""LoRA: the equations of the paper, recomputed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from reference_impls.anatomy import Projection, anatomy
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods import models
from tests.methods.ledgers import beside_full

TARGETS = ("query", "value", "attention_output", "feed_forward_down")
R, ALPHA = 3, 7.0
every_model = pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])


def adapted(name: str, **arguments):
    """A float64 model with shaken LoRA on it, and its parts."""
    torch.manual_seed(0)
    model = models.build(name)
    method = LoRA(**{"r": R, "alpha": ALPHA, "targets": TARGETS} | arguments)
    method.setup(model)
    models.shake(model.double(), seed=1)
    return method, model, anatomy(model)


def pairs(parts, targets=TARGETS) -> list[tuple[Projection, Tensor, Tensor]]:
    """Each adapted projection with its A and B."""
    found = []
    for layer in parts.layers:
        for target in targets:
            projection = getattr(layer, target)
            update = projection.module.get_submodule(f"lora_{target}")
            found.append((projection, update.a, update.b))
    return found


def inputs_for(projection: Projection) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 5, projection.d_in, generator=generator, dtype=torch.float64)


@every_model
def test_output_is_that_of_the_equation(name):
    _, _, parts = adapted(name)
    for p, a, b in pairs(parts):
        x = inputs_for(p)
        bias = 0 if p.bias is None else p.bias
        expected = x @ p.weight.T + bias + ALPHA / R * (x @ a.T @ b.T)
        torch.testing.assert_close(p.module(x)[..., p.columns], expected, atol=1e-10, rtol=0)


def test_cross_attention_has_its_own_pair():
    _, model, parts = adapted("t5-lm", targets=("query",))
    encoder, decoder = (len(stack.layers) for stack in parts.stacks)
    found = [name for name, _ in model.named_modules() if name.endswith(".lora_query")]
    assert len(found) == encoder + 2 * decoder  # whose layers attend to text and encoder


def test_slices_of_a_fused_matrix_that_are_not_adapted_keep_their_output():
    _, _, parts = adapted("gpt2")
    for layer in parts.layers:
        key, x = layer.key, inputs_for(layer.key)
        expected = x @ key.weight.T + key.bias
        torch.testing.assert_close(key.module(x)[..., key.columns], expected, atol=1e-12, rtol=0)


@every_model
def test_merging_adds_the_scaled_product_to_the_adapted_slices_alone(name):
    method, model, parts = adapted(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    expected = [(p, p.weight + ALPHA / R * b @ a) for p, a, b in pairs(parts)]
    keys = [(layer.key, layer.key.weight.clone()) for layer in parts.layers]
    size = sum(p.weight.numel() for p, _ in expected)
    method.merge(model)
    for p, weight in expected:
        torch.testing.assert_close(p.weight, weight, atol=1e-12, rtol=0)
    assert all(torch.equal(p.weight, weight) for p, weight in keys)
    changed = sum((before[k] != v).sum().item() for k, v in model.state_dict().items())
    assert changed == size


@every_model
def test_the_update_has_rank_r(name):
    method, model, parts = adapted(name)
    originals = [(p, p.weight.detach().clone()) for p, _, _ in pairs(parts)]
    method.merge(model)
    for p, weight in originals:
        values = torch.linalg.svdvals(p.weight - weight)
        assert (values > 1e-9 * values[0]).sum() == R


def test_full_rank_expresses_any_update():
    method, model, parts = adapted("bert", r=32, targets=("value",))
    wanted = torch.randn(32, 32, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    (p, a, b), *_ = pairs(parts, ("value",))
    original = p.weight.detach().clone()
    with torch.no_grad():
        a.copy_(torch.eye(32))
        b.copy_(wanted * 32 / ALPHA)
    method.merge(model)
    torch.testing.assert_close(p.weight - original, wanted, atol=1e-12, rtol=0)


@every_model
def test_a_change_of_basis_between_the_factors_changes_nothing(name):
    _, _, parts = adapted(name)
    basis = torch.randn(R, R, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for p, a, b in pairs(parts):
        x = inputs_for(p)
        before = p.module(x)
        with torch.no_grad():
            a.copy_(torch.linalg.solve(basis, a))
            b.copy_(b @ basis)
        torch.testing.assert_close(p.module(x), before, atol=1e-10, rtol=0)


@every_model
def test_gradients_are_those_of_the_equation(name):
    _, _, parts = adapted(name)
    for p, a, b in pairs(parts):
        x = inputs_for(p)
        output = p.module(x)
        upstream = torch.randn(
            output.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64
        )
        of_a, of_b = torch.autograd.grad(output, (a, b), upstream)
        g, rows = upstream[..., p.columns].flatten(0, 1), x.flatten(0, 1)
        torch.testing.assert_close(of_b, ALPHA / R * g.T @ rows @ a.T, atol=1e-10, rtol=0)
        torch.testing.assert_close(of_a, ALPHA / R * b.T @ g.T @ rows, atol=1e-10, rtol=0)


@every_model
def test_at_the_start_only_the_second_factor_gets_a_gradient(name):
    model = models.build(name)
    LoRA(r=R, alpha=ALPHA, targets=TARGETS).setup(model)
    model(**models.batch(name)).loss.backward()
    for p, a, b in pairs(anatomy(model)):
        assert not b.any()
        assert not a.grad.any()
        assert b.grad.any()
        bound = 1 / math.sqrt(p.d_in)
        assert 0.8 * bound < a.abs().max() <= bound


@every_model
def test_dropout_acts_on_the_input_of_the_first_factor_alone(name):
    _, model, parts = adapted(name, dropout=0.5)
    model.train()
    for p, a, b in pairs(parts, ("value", "feed_forward_down")):
        alone = [u for key, u in p.module.named_children() if u.a is not a]
        for update in alone:  # a fused matrix carries several: silence the others
            update.dropout.p = 0.0
        x = inputs_for(p)
        torch.manual_seed(5)
        output = p.module(x)[..., p.columns]
        torch.manual_seed(5)
        dropped = torch.nn.functional.dropout(x, 0.5)
        assert not torch.equal(dropped, x)
        bias = 0 if p.bias is None else p.bias
        expected = x @ p.weight.T + bias + ALPHA / R * (dropped @ a.T @ b.T)
        torch.testing.assert_close(output, expected, atol=1e-10, rtol=0)


def test_a_target_that_no_layer_has_is_refused_and_the_model_left_alone():
    model = models.build("bert")
    with pytest.raises(ValueError, match="no projection 'quary'"):
        LoRA(targets=("query", "quary")).setup(model)
    assert all(p.requires_grad for p in model.parameters())


def test_its_ledger_saves_gradients_and_states_and_keeps_most_activations():
    for own, full in beside_full("lora"):
        assert own.gradients + own.optimizer < 0.01 * (full.gradients + full.optimizer)
        assert 0.6 * full.activations < own.activations < full.activations
