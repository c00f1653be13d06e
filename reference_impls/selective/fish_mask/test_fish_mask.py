"""FISH mask: what it ranks, what it trains, what it stores."""

import warnings

import pytest
import torch
from transformers import BertConfig

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import trainable
from reference_impls.selective.fish_mask.fish_mask import FishMask
from reference_impls.shared.masks import names
from tests.methods import models
from tests.methods.settings import batches, shake

SMALL = {"density": 0.05, "samples": 6}


def base(model) -> dict[str, torch.Tensor]:
    """Copies of all parameters but the head's, by name."""
    head = {id(p) for p in anatomy(model).head_parameters()}
    return {n: p.detach().clone() for n, p in model.named_parameters() if id(p) not in head}


def flat(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors.values()])


def positions(method: FishMask, model) -> torch.Tensor:
    """Where the mask is, counted through all parameters of the base."""
    delta = method.delta(model)
    marks = {name: torch.zeros(value.numel()) for name, value in base(model).items()}
    for name in names(delta):
        marks[name][delta[f"{name}.positions"]] = 1
    return flat(marks).nonzero().flatten()


def adapted(model_name: str, **arguments):
    model = models.build(model_name)
    method = FishMask(**{**SMALL, "lr": 1e-2, **arguments})
    method.setup(model, batches(model_name))
    return method, model


def by_hand(model, model_name: str, samples: int) -> torch.Tensor:
    """The mean of squared gradients of single rows, by plain backward passes."""
    names = base(model)
    total = {name: torch.zeros_like(value) for name, value in names.items()}
    source = batches(model_name)
    rows = []
    while len(rows) < samples:
        batch = next(source)
        rows += [{k: v[i : i + 1] for k, v in batch.items()} for i in range(4)]
    for row in rows[:samples]:
        model.zero_grad()
        model(**row).loss.backward()
        for name in names:
            gradient = model.get_parameter(name).grad
            if gradient is not None:
                total[name] += gradient**2
    return flat(total) / samples


@pytest.mark.parametrize("model_name", ["bert", "llama", "gpt2-lm"])
def test_fisher_is_the_mean_of_squares_of_single_gradients(model_name):
    method = FishMask(**SMALL)
    fisher = method.fisher(models.build(model_name), batches(model_name))
    expected = by_hand(models.build(model_name), model_name, 6)
    torch.testing.assert_close(fisher, expected, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("model_name", models.MODELS)
def test_the_mask_is_the_global_top_k(model_name):
    method, model = adapted(model_name)
    expected = by_hand(models.build(model_name), model_name, 6)
    k = int(0.05 * expected.numel())
    chosen = torch.zeros_like(expected, dtype=torch.bool)
    chosen[positions(method, model)] = True
    assert chosen.sum() == k
    assert expected[chosen].min() >= expected[~chosen].max() * (1 - 1e-4)


def test_dropout_is_off_while_the_mask_is_computed_and_the_mode_restored():
    model = models.build("bert", hidden_dropout_prob=0.5).train()
    fisher = FishMask(**SMALL).fisher(model, batches("bert"))
    assert model.training
    expected = FishMask(**SMALL).fisher(models.build("bert"), batches("bert"))
    torch.testing.assert_close(fisher, expected)


def test_the_mask_does_not_depend_on_the_scale_of_the_loss():
    class Scaled(FishMask):
        def loss(self, model, batch):
            return 4.0 * super().loss(model, batch)

    plain, scaled = FishMask(**SMALL), Scaled(**SMALL)
    model = models.build("bert")
    fisher = plain.fisher(model, batches("bert"))
    torch.testing.assert_close(scaled.fisher(model, batches("bert")), 16 * fisher)
    chosen = [
        positions(method, model)
        for method, model in ((plain, models.build("bert")), (scaled, models.build("bert")))
        if method.setup(model, batches("bert")) is None
    ]
    assert torch.equal(*chosen)


@pytest.mark.parametrize("model_name", ["bert", "llama-lm"])
def test_entries_outside_the_mask_stay_to_the_bit(model_name):
    method, model = adapted(model_name)
    before = flat(base(model))
    chosen = positions(method, model)
    optimizer = method.optimizer(trainable(model))
    source = batches(model_name)
    for step in range(5):
        method.step(model, next(source), optimizer, step)
    changed = (flat(base(model)) != before).nonzero().flatten()
    assert torch.equal(changed, chosen)


def test_gradients_are_masked_before_they_are_clipped():
    """The first step of AdamW has the size lr in each entry of the mask, however small its part."""
    method, model = adapted("bert")
    norms = []
    original = torch.nn.utils.clip_grad_norm_

    def spy(parameters, limit):
        norms.append(original(parameters, limit))
        return norms[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.utils, "clip_grad_norm_", spy)
        method.step(model, models.batch("bert"), method.optimizer(trainable(model)), 0)
    fresh_method, fresh = adapted("bert")
    fresh(**models.batch("bert")).loss.backward()
    fresh_method.on_grad(fresh, 0)
    expected = torch.cat([p.grad.flatten() for p in trainable(fresh)]).norm()
    torch.testing.assert_close(norms[0], expected)


@pytest.mark.parametrize("model_name", ["bert", "gpt2-lm"])
def test_a_delta_restores_the_weights_without_data(model_name):
    method, model = adapted(model_name)
    optimizer = method.optimizer(trainable(model))
    method.step(model, models.batch(model_name), optimizer, 0)
    delta = method.delta(model)
    for name in names(delta):
        assert delta[f"{name}.values"].shape == delta[f"{name}.positions"].shape
    for other_batches in (None, iter([models.batch(model_name, seed=9, rows=6)])):
        fresh = models.build(model_name)
        other = FishMask(**SMALL)
        other.setup(fresh, other_batches)  # no mask, or one of other data
        shake(other, fresh)  # what it had trained is taken back
        other.load_delta(fresh, delta)
        assert torch.equal(flat(base(fresh)), flat(base(model)))
        assert torch.equal(positions(other, fresh), positions(method, model))
        other.detach(fresh)
        assert torch.equal(flat(base(fresh)), flat(base(models.build(model_name))))


def test_count_on_bert_base():
    parts = anatomy(model_on_meta(BertConfig()))
    assert numel(parts.base_parameters()) == 109_482_240
    assert FishMask().trained(parts) == 547_411
    assert FishMask().stored(parts) == 2 * 547_411


def test_a_density_that_leaves_nothing_is_refused():
    model = models.build("bert")
    with pytest.raises(ValueError, match="leaves no weight to train"):
        FishMask(density=1e-9).setup(model, batches("bert"))
    assert all(p.requires_grad for p in model.parameters())


def test_fewer_examples_than_asked_for_are_told_and_none_are_refused():
    two, model = [models.batch("bert")] * 2, models.build("bert")
    flags = [p.requires_grad for p in model.parameters()]
    with pytest.raises(ValueError, match=r"samples = 9: the data has no example"):
        FishMask(samples=9).setup(model, iter([]))
    assert [p.requires_grad for p in model.parameters()] == flags
    assert not model.training
    method, enough = FishMask(samples=9), FishMask(samples=8)
    with pytest.warns(UserWarning, match="samples = 9: the data ended after 8 examples"):
        reference = method.fisher(model, two)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(enough.fisher(model, two), reference)
