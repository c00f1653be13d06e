"""LT-SFT: both phases by hand, the rewind between them, and the composition of differences."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, T5Config

from reference_impls.anatomy import anatomy, built, model_on_meta, numel
from reference_impls.core.method import Method, trainable
from reference_impls.core.training import Loop, train
from reference_impls.selective.lt_sft.lt_sft import LTSFT
from tests.methods import models
from tests.methods.settings import adapt, batches

STEPS = 5
SMALL = {"density": 0.05, "lr": 1e-2}


def state(model) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def difference(before: dict, after: dict, names) -> torch.Tensor:
    return torch.cat([(after[name] - before[name]).flatten() for name in names])


def loop(name: str, **settings) -> Loop:
    settings = {"steps": STEPS, "seed": 3, "progress": False} | settings
    return Loop(batches=lambda seed: batches(name), **settings)


def trained(name: str, **arguments):
    """A model that LT-SFT has trained, its method, and its state before each evaluation."""
    model, seen = models.build(name), []

    def watch(model) -> float:
        seen.append(state(model))
        return 0.0

    method = LTSFT(**SMALL | arguments)
    train(method, model, loop(name, evaluate=watch))
    return method, model, seen


class Dense(Method):
    """Fine-tuning of some parameters, of which a mask lets entries through."""

    name = title = "dense"

    def on_grad(self, model, step):
        for name, mask in self.masks.items():
            model.get_parameter(name).grad.mul_(mask)


def by_hand(name: str, tensors, masks: dict, start=None):
    """Train `tensors` and the head of a fresh model."""
    model = models.build(name)
    model.requires_grad_(False)
    for parameter in (*map(model.get_parameter, tensors), *anatomy(model).head_parameters()):
        parameter.requires_grad_(True)
    method = Dense(lr=SMALL["lr"])
    method.masks = masks
    loop(name).run(method, model)
    return state(model)


@pytest.mark.parametrize("name", ["bert", "gpt2-lm"])
def test_both_phases_are_those_of_the_equations(name):
    """A dense run, the largest changes, and a masked run from the same start: bit for bit."""
    method, model, _ = trained(name)
    pristine = models.build(name)
    before, candidates = state(pristine), list(method.candidates(anatomy(pristine)))
    dense = by_hand(name, candidates, {})
    change = difference(before, dense, candidates).abs()
    k = int(0.05 * len(change))
    chosen = torch.zeros(len(change), dtype=torch.bool)
    chosen[change.topk(k).indices] = True
    sizes = [before[name].numel() for name in candidates]
    masks = {
        tensor: part.view_as(before[tensor])
        for tensor, part in zip(candidates, chosen.split(sizes), strict=True)
        if part.any()
    }
    assert masks.keys() == method._masks.keys()
    assert all(torch.equal(mask, method._masks[tensor]) for tensor, mask in masks.items())
    sparse, after = by_hand(name, masks, masks), state(model)
    assert all(torch.equal(after[tensor], sparse[tensor]) for tensor in after)
    assert not torch.equal(change, difference(before, after, candidates).abs())


def test_the_second_phase_starts_from_the_pretrained_model_head_included():
    _, _, seen = trained("bert")
    before = state(models.build("bert"))
    assert all(torch.equal(seen[0][name], value) for name, value in before.items())


@pytest.mark.parametrize("name", ["bert", "t5-lm"])
def test_only_the_entries_of_the_mask_and_the_head_change(name):
    method, model, _ = trained(name)
    before, after = state(models.build(name)), state(model)
    head = {id(p) for p in anatomy(model).head_parameters()}
    changed = 0
    for tensor, parameter in model.named_parameters():
        moved = after[tensor] != before[tensor]
        if id(parameter) in head:
            assert moved.any()
        else:
            mask = method._masks.get(tensor, torch.zeros_like(moved))
            assert not (moved & ~mask).any(), tensor
            changed += moved.sum()
    k = method.trained(anatomy(model))
    assert sum(mask.sum() for mask in method._masks.values()) == k
    assert changed > 0.9 * k  # a position or word that no text has keeps its value


def test_ties_do_not_add_to_k():
    class Flat(LTSFT):
        """All entries change by the same."""

        def optimizer(self, parameters):
            return torch.optim.SGD(parameters, lr=1.0)

        def on_grad(self, model, step):
            for parameter in trainable(model):
                parameter.grad = torch.ones_like(parameter)
            super().on_grad(model, step)

    model = models.build("bert")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    method = Flat(**SMALL)
    train(method, model, loop("bert"))
    chosen = sum(mask.sum() for mask in method._masks.values())
    assert chosen == method.trained(anatomy(model))


def test_norms_heads_and_other_output_layers_are_no_candidates():
    for name in models.MODELS:
        parts = anatomy(models.build(name))
        found = LTSFT().candidates(parts)
        ids = {id(p) for p in found.values()}
        left = {id(p) for norm in parts.norms for p in norm.parameters()}
        left |= {id(p) for p in parts.head_parameters()}
        assert not ids & left
        assert id(parts.embedding.weight) in ids
        assert not any("lm_head" in tensor or "cls." in tensor for tensor in found)
        rest = {id(p) for p in parts.base.parameters()} - ids - left
        assert not rest, name


def test_an_output_matrix_of_its_own_is_no_candidate_inside_of_the_base_either():
    tied = models.build("t5-lm")
    untied = built(T5Config(**{**tied.config.to_dict(), "scale_decoder_outputs": False}))
    assert untied.lm_head.weight is not untied.shared.weight
    assert LTSFT().candidates(anatomy(untied)).keys() == LTSFT().candidates(anatomy(tied)).keys()


def test_published_numbers_of_entries():
    """Multilingual BERT: the scripts' K are 8 % and 4 % of what its base model has."""
    parts = anatomy(model_on_meta(BertConfig(vocab_size=119_547)))
    assert numel(parts.base_parameters()) == 177_853_440
    size = numel(LTSFT().candidates(parts).values())
    assert size == 177_853_440 - 25 * 2 * 768
    assert LTSFT().trained(parts) == int(0.08 * size)
    assert round(14_155_776 / size, 2) == LTSFT().density
    assert round(7_667_712 / size, 2) == 0.04


def test_only_the_second_phase_is_reported():
    _, _, seen = trained("bert")
    assert len(seen) == 2  # before its first and after its last step


def test_setup_alone_gives_a_random_mask_of_k_entries():
    masks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model, method = models.build("bert"), LTSFT(**SMALL)
        torch.manual_seed(seed)
        method.setup(model)
        masks.append(torch.cat([delta.flatten() for delta in method.tensors(model).values()]))
        assert sum(m.sum() for m in method._masks.values()) == method.trained(anatomy(model))
    assert masks[0].shape == masks[1].shape
    assert not torch.equal(*masks)


def test_the_regularization_is_the_mean_distance():
    method, model = adapt("lt_sft", "bert")
    model.double()
    method._originals = {p: value.double() for p, value in method._originals.items()}
    inputs = models.batch("bert")
    plain = method.loss(model, inputs)
    method.regularization = 0.1
    pristine = state(models.build("bert").double())
    distance = sum((p - pristine[name]).abs().sum() for name, p in model.named_parameters())
    head = sum((p - pristine[n]).abs().sum() for n, p in model.named_parameters() if "class" in n)
    expected = plain + 0.1 / numel(model.parameters()) * (distance - head)
    torch.testing.assert_close(method.loss(model, inputs), expected, atol=1e-10, rtol=0)


def test_the_regularization_is_off_for_tasks_and_has_no_gradient_at_the_start():
    assert LTSFT().regularization == 0
    gradients = []
    for regularization in (0.0, 10.0):
        model, method = models.build("bert"), LTSFT(**SMALL, regularization=regularization)
        method.setup(model)
        torch.manual_seed(0)
        method.select(model, torch.arange(1000))
        method.loss(model, models.batch("bert")).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in trainable(model)]))
    assert torch.equal(*gradients)


def test_a_density_that_leaves_nothing_is_refused():
    model = models.build("bert")
    with pytest.raises(ValueError, match="leaves no weight"):
        LTSFT(density=1e-9).setup(model)
    assert all(p.requires_grad for p in model.parameters())
