"""Mixout: its equation, its mean, its special cases, what is mixed and what is not."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from reference_impls.anatomy import anatomy
from reference_impls.core.method import METHODS, trainable
from reference_impls.core.training import Loop, train
from reference_impls.full_fine_tuning.mixout.mixout import Pretrained, mixout
from tests.methods import models
from tests.methods.settings import batches

Mixout = METHODS["mixout"]
P = 0.4


def matrices(rows: int = 5, columns: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight and its pretrained value, float64."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, rows, columns, generator=generator, dtype=torch.float64))


def drawn(shape: list[int]) -> torch.Tensor:
    """The mask that `mixout` draws after the same seed."""
    torch.manual_seed(3)
    return torch.empty(shape, dtype=torch.float64).bernoulli_(1 - P)


def tuned(name: str, p: float = P, **config):
    """A model whose weights have moved away from the pretrained ones, in training mode."""
    model = models.build(name, **config)
    method = Mixout(p=p)
    method.setup(model)
    models.shake(model, seed=1)
    return method, model.train()


def mixed_maps(model) -> dict[str, nn.Module]:
    return {n.removesuffix(".mixout"): m for n, m in model.named_modules() if type(m) is Pretrained}


@pytest.mark.parametrize("features", [0, 1])
def test_the_mixed_weight_is_that_of_the_equation(features):
    w, w0 = matrices()
    m = drawn([5, 1] if features == 0 else [1, 7])
    torch.manual_seed(3)
    mixed = mixout(w, w0, P, features)
    assert 0 < m.sum() < m.numel()
    expected = ((1 - m) * w0 + m * w - P * w0) / (1 - P)
    torch.testing.assert_close(mixed, expected, atol=1e-10, rtol=0)


def test_on_average_it_is_the_weight():
    w, w0 = matrices()
    torch.manual_seed(0)
    draws = torch.stack([mixout(w, w0, P, 1) for _ in range(4000)])
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - w).abs() <= 5 * error).all()


def test_units_are_exchanged_with_probability_p_and_whole():
    w, w0 = matrices(3, 20_000)
    torch.manual_seed(0)
    mixed = mixout(w, w0, P, 1)
    gone = (mixed - (w0 + 0 * w)).abs() < 1e-12
    assert torch.equal(gone[0], gone[1])
    assert torch.equal(gone[0], gone[2])
    error = (P * (1 - P) / 20_000) ** 0.5
    assert gone[0].double().mean().item() == pytest.approx(P, abs=5 * error)


def test_from_zero_it_is_dropout_of_the_input():
    w, _ = matrices()
    x = torch.randn(4, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.manual_seed(3)
    output = x @ mixout(w, torch.zeros_like(w), P, 1).T
    expected = x * drawn([1, 7]) / (1 - P) @ w.T
    torch.testing.assert_close(output, expected, atol=1e-10, rtol=0)


def test_the_gradient_is_that_of_the_equation():
    """The official backward pass lacks the factor 1 / (1 - p)."""
    w, w0 = matrices()
    upstream = torch.randn(5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    w.requires_grad_(True)
    torch.manual_seed(3)
    (gradient,) = torch.autograd.grad(mixout(w, w0, P, 1), w, upstream)
    expected = upstream * drawn([1, 7]) / (1 - P)
    torch.testing.assert_close(gradient, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm", "t5-lm"])
def test_a_map_in_training_is_that_with_the_mixed_weight(name):
    _, model = tuned(name)
    model.double()
    pristine = dict(models.build(name).named_modules())
    for path in mixed_maps(model):
        module, before = model.get_submodule(path), pristine[path]
        flipped = isinstance(module, Conv1D)
        w, w0 = (m.weight.double().T if flipped else m.weight.double() for m in (module, before))
        x = torch.randn(2, 3, w.shape[1], generator=torch.Generator().manual_seed(1)).double()
        m = drawn([1, w.shape[1]])
        torch.manual_seed(3)
        output = module(x)
        expected = x @ (((1 - m) * w0 + m * w - P * w0) / (1 - P)).T
        expected = expected if module.bias is None else expected + module.bias
        torch.testing.assert_close(output, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", models.MODELS)
def test_all_linear_maps_are_mixed_but_the_head_and_the_output_embeddings(name):
    _, model = tuned(name)
    head = {m for part in anatomy(model).head for m in part.modules()}
    expected = {
        path
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
        and module not in head
        and path.split(".")[-1] not in ("lm_head", "decoder")
    }
    assert mixed_maps(model).keys() == expected
    layers = anatomy(model).layers
    assert len(expected) >= (4 if name.startswith("gpt2") else 6) * len(layers)


@pytest.mark.parametrize("name", models.MODELS)
def test_with_p_zero_or_at_the_pretrained_weights_it_is_fine_tuning(name):
    inputs = models.batch(name)
    expected = models.logits(models.build(name), inputs)
    model = models.build(name)
    Mixout(p=P).setup(model)
    torch.testing.assert_close(models.logits(model.train(), inputs), expected, atol=1e-5, rtol=1e-5)
    _, model = tuned(name, p=0.0)
    outputs = models.logits(model, inputs)
    assert not torch.allclose(outputs, expected, atol=1e-3)
    torch.testing.assert_close(outputs, models.logits(model.eval(), inputs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", models.MODELS)
def test_evaluation_is_the_plain_model_with_the_trained_weights(name):
    inputs = models.batch(name)
    method, model = tuned(name)
    assert not torch.equal(models.logits(model, inputs), models.logits(model, inputs))
    model.eval()
    plain = models.build(name)
    plain.load_state_dict(model.state_dict())  # the copies of old weights are not in it
    outputs = models.logits(model, inputs)
    assert torch.equal(outputs, models.logits(plain, inputs))
    method.merge(model)
    assert not mixed_maps(model)
    assert torch.equal(outputs, models.logits(model.train(), inputs))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("bert", {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3}),
        ("gpt2-lm", {"resid_pdrop": 0.3, "embd_pdrop": 0.3, "attn_pdrop": 0.3}),
        ("llama-lm", {"attention_dropout": 0.3}),
        ("t5-lm", {"dropout_rate": 0.3}),
    ],
)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_dropout_is_off_and_comes_back(name, config, attention):
    inputs = models.batch(name)
    model = models.build(name, **config)
    model.set_attn_implementation(attention)
    expected = models.logits(model, inputs)
    method = Mixout(p=0.0)
    method.setup(model)
    torch.testing.assert_close(models.logits(model.train(), inputs), expected, atol=1e-5, rtol=1e-5)
    method.merge(model)
    assert not torch.allclose(models.logits(model, inputs), expected, atol=1e-3)
    rates = [m.p for m in model.modules() if isinstance(m, nn.Dropout)]
    assert set(rates) <= {0.3, 0.1}  # 0.1: GPT-2's and T5's own for their heads


def test_tied_embeddings_stay_tied():
    for name in ("bert-mlm", "gpt2-lm"):
        _, model = tuned(name)
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_every_step_draws_anew_and_moves_the_weights_not_the_copies():
    model = models.build("bert")
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    method = Mixout(p=P, lr=1e-2)
    loop = Loop(lambda seed: batches("bert"), steps=3, progress=False)
    train(method, model, loop)
    assert all(not torch.equal(p, before[n]) for n, p in model.named_parameters())
    for path, old in mixed_maps(model).items():
        assert torch.equal(old.weight, before[f"{path}.weight"])
    twin = copy.deepcopy(model).train()
    with torch.no_grad():
        for old in mixed_maps(model).values():
            old.weight.fill_(float("nan"))
    assert models.logits(twin, models.batch("bert")).isfinite().all()
    assert len(trainable(model)) == len(before)


def test_a_dropped_unit_gets_no_gradient():
    _, model = tuned("bert")
    linear = model.bert.encoder.layer[0].intermediate.dense
    seen = []
    linear.register_forward_hook(lambda *_: seen.append(1))
    torch.manual_seed(3)
    model(**models.batch("bert")).loss.backward()
    dead = (linear.weight.grad == 0).all(0)
    assert len(seen) == 1
    assert 0 < dead.sum() < 32


@pytest.mark.parametrize("p", [1.0, -0.1, 1.5])
def test_what_is_no_probability_below_one_is_refused(p):
    model = models.build("bert")
    with pytest.raises(ValueError, match=r"p = .*at least 0 and below 1"):
        Mixout(p=p).setup(model)
    assert not mixed_maps(model)


def test_the_rate_rises_over_the_first_tenth():
    assert Mixout().schedule(0.05) == 0.5
    assert Mixout().schedule(0.1) == 1.0
