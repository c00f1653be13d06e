"""Diff pruning: the gates, the gradients of the search, and the projection after it."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import BertConfig

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import trainable
from reference_impls.core.training import Loop, train
from reference_impls.selective.diff_pruning import diff_pruning
from reference_impls.selective.diff_pruning.diff_pruning import (
    DiffPruning,
    hard_concrete,
    open_probability,
)
from tests.methods import models
from tests.methods.settings import batches

SMALL = {"density": 0.05, "lr": 1e-2, "search_lr": 1e-2}
BERT_LARGE = BertConfig(
    hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
)


def state(model) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def searching(name: str, *, shaken: bool = True, **arguments):
    """A model and a search on it, the differences away from zero and the gates from their start."""
    model = models.build(name)
    method = DiffPruning(**SMALL | arguments)
    method.setup(model)
    method.select(model, torch.arange(numel(method.candidates(anatomy(model)).values())))
    search = method.search(model)
    torch.manual_seed(0)
    if shaken:
        with torch.no_grad():
            for w in search.w:
                w.normal_()
            for alpha in (*search.gates, *search.groups):
                alpha.normal_()
    return method, model, search


# the gates


@pytest.mark.parametrize("bounds", [(-1.5, 1.5), (-0.1, 1.1), (-1.0, 2.0)])
@pytest.mark.parametrize("alpha", [-2.0, 0.0, 1.5])
def test_a_gate_is_open_as_often_as_the_penalty_says(alpha, bounds):
    torch.manual_seed(0)
    n = 400_000
    z = hard_concrete(torch.full((n,), alpha), *bounds)
    p = open_probability(torch.tensor(alpha), *bounds).item()
    assert p == pytest.approx(1 / (1 + math.exp(math.log(-bounds[0] / bounds[1]) - alpha)))
    assert abs((z > 0).float().mean() - p) < 5 * math.sqrt(p * (1 - p) / n)
    assert z.min() == 0
    assert z.max() == 1
    # P(z < 1) = sigma(logit((1 - l) / (r - l)) - alpha)
    threshold = (1 - bounds[0]) / (bounds[1] - bounds[0])
    q = 1 / (1 + math.exp(-(math.log(threshold / (1 - threshold)) - alpha)))
    assert abs((z < 1).float().mean() - q) < 5 * math.sqrt(q * (1 - q) / n)


def test_with_the_papers_bounds_a_gate_is_open_with_probability_sigma_alpha():
    alpha = torch.linspace(-4, 4, 9, dtype=torch.float64)
    method = DiffPruning()
    p = open_probability(alpha, method.lower, method.upper)
    torch.testing.assert_close(p, alpha.sigmoid(), atol=1e-12, rtol=0)


def test_the_gradient_of_a_gate_is_that_of_the_official_code():
    alpha = torch.linspace(-3, 3, 2000, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(1)
    z = hard_concrete(alpha, -1.5, 1.5)
    z.sum().backward()
    torch.manual_seed(1)
    u = torch.rand_like(alpha).clamp(1e-4, 1 - 1e-4)
    s = 1 / (1 + torch.exp(-(torch.log(u / (1 - u)) + alpha.detach())))
    inside = (z > 0) & (z < 1)
    expected = torch.where(inside, 3.0 * s * (1 - s), 0)
    torch.testing.assert_close(alpha.grad, expected, atol=1e-12, rtol=0)


# the search


def test_the_search_starts_at_the_pretrained_model_with_open_gates():
    _, model, search = searching("bert", shaken=False)
    search.before_step(model, 0)
    before = state(models.build("bert"))
    assert all(torch.equal(value, before[name]) for name, value in state(model).items())
    assert all((alpha == 5).all() for alpha in (*search.gates, *search.groups))


@pytest.mark.parametrize(("name", "structured"), [("bert", True), ("gpt2-lm", False)])
def test_gradients_of_the_search_are_those_of_the_equations(name, structured, monkeypatch):
    monkeypatch.setattr(diff_pruning, "clip_grad_norm_", lambda parameters, limit: None)
    penalty = 0.01
    _, model, search = searching(name, structured=structured, penalty=penalty)
    torch.manual_seed(7)
    search.before_step(model, 0)
    model(**models.batch(name)).loss.backward()
    gradients = [p.grad.clone() for p in search.start]
    search.on_grad(model, 0)

    torch.manual_seed(7)  # the same gates once more, by hand

    def gate(alpha):
        u = torch.rand_like(alpha).clamp(1e-4, 1 - 1e-4)
        s = (torch.log(u / (1 - u)) + alpha).sigmoid().detach()
        z = (3 * s - 1.5).clamp(0, 1)
        return z, 3 * s * (1 - s) * ((z > 0) & (z < 1))

    entries = [gate(alpha) for alpha in search.gates]
    groups = [gate(a) for a in search.groups] or [(torch.ones(1), torch.zeros(1))] * len(entries)
    assert len(search.groups) == (len(entries) if structured else 0)
    for i, (p, start) in enumerate(search.start.items()):
        (z, dz), (y, dy), w, g = entries[i], groups[i], search.w[i].detach(), gradients[i]
        torch.testing.assert_close(p.detach(), start + z * y * w)
        torch.testing.assert_close(search.w[i].grad, g * z * y)
        alpha = search.gates[i].detach().sigmoid()
        cost = penalty * alpha * (1 - alpha)
        torch.testing.assert_close(search.gates[i].grad, g * w * y * dz + cost)
        if structured:
            alpha = search.groups[i].detach().sigmoid()
            expected = (g * w * z).sum() * dy + penalty * alpha * (1 - alpha)
            torch.testing.assert_close(search.groups[i].grad, expected, atol=1e-6, rtol=1e-4)


def test_a_step_draws_new_gates_and_clips_differences_and_gates_apart():
    _, model, search = searching("bert", penalty=10.0)
    optimizer = search.optimizer(trainable(model))
    seen = []
    for step in range(2):
        search.before_step(model, step)
        seen.append(state(model))
        for (p, start), change in zip(search.start.items(), search._differences, strict=True):
            torch.testing.assert_close(p.detach(), start + change.detach())
        optimizer.zero_grad()
        (100 * model(**models.batch("bert")).loss).backward()
        search.on_grad(model, step)
    assert any(not torch.equal(seen[0][name], seen[1][name]) for name in seen[0])
    for tensors in (search.w, [*search.gates, *search.groups]):
        norm = torch.cat([tensor.grad.flatten() for tensor in tensors]).norm()
        assert norm.item() == pytest.approx(1.0, rel=1e-3)


def test_the_gates_have_a_rate_of_their_own_and_the_head_that_of_the_differences():
    method, model, _ = searching("bert")
    search = method.search(model)
    first, second = search.optimizer(trainable(model)).param_groups
    head = {id(p) for p in anatomy(model).head_parameters()}
    assert (first["lr"], second["lr"]) == (method.search_lr, method.gate_lr)
    assert {id(p) for p in first["params"]} == {id(w) for w in search.w} | head
    assert {id(p) for p in second["params"]} == {id(a) for a in (*search.gates, *search.groups)}
    assert first["weight_decay"] == second["weight_decay"] == 0
    assert (DiffPruning().search_lr, DiffPruning().gate_lr, DiffPruning().lr) == (1e-5, 0.1, 5e-5)


def test_the_penalty_closes_gates_that_nothing_needs():
    shares = []
    for penalty in (0.0, 1.0):
        _, model, search = searching("bert", shaken=False, penalty=penalty)
        settings = {"steps": 60, "progress": False}
        Loop(batches=lambda seed: batches("bert"), **settings).run(search, model)
        gates = torch.cat([alpha.detach().flatten() for alpha in search.gates])
        shares.append(open_probability(gates, -1.5, 1.5).mean().item())
    assert shares[0] > 0.95
    assert shares[1] < 0.9


def test_groups_are_the_parameter_tensors():
    model = model_on_meta(BERT_LARGE)
    assert len(list(model.parameters())) == 393  # as the paper counts
    candidates = DiffPruning().candidates(anatomy(model))
    assert len(candidates) == 393 - 2
    assert "classifier.weight" not in candidates


# the projection


@pytest.mark.parametrize("name", ["bert", "llama-lm"])
def test_exactly_k_entries_of_the_difference_are_kept(name):
    method, model, search = searching(name)
    before = state(models.build(name))
    with torch.no_grad():
        differences = search.sample()
    method.keep(model, differences)
    k = method.trained(anatomy(model))
    kept = method._masks
    assert sum(mask.sum() for mask in kept.values()) == k
    found, left = [], []
    for (tensor, p), difference in zip(
        method.candidates(anatomy(model)).items(), differences, strict=True
    ):
        mask = kept.get(tensor, torch.zeros_like(difference, dtype=torch.bool))
        assert torch.equal(p[~mask], before[tensor][~mask])
        torch.testing.assert_close(p[mask], before[tensor][mask] + difference[mask])
        found.append(difference[mask].abs())
        left.append(difference[~mask].abs())
    assert torch.cat(found).min() >= torch.cat(left).max()


def test_ties_do_not_add_to_k():
    method, model, search = searching("bert")
    method.keep(model, [torch.ones_like(w) for w in search.w])
    kept = sum(mask.sum() for mask in method._masks.values())
    assert kept == method.trained(anatomy(model))


@pytest.mark.parametrize("name", ["bert", "t5-lm"])
def test_after_training_only_the_kept_entries_differ(name):
    model, method, seen = models.build(name), DiffPruning(**SMALL), []

    def watch(model) -> float:
        seen.append(state(model))
        return 0.0

    settings = {"steps": 4, "progress": False, "evaluate": watch}
    train(method, model, Loop(batches=lambda seed: batches(name), **settings))
    before, after = state(models.build(name)), state(model)
    assert len(seen) == 2  # the search is not reported
    moved = 0
    for tensor in method.candidates(anatomy(model)):
        mask = method._masks.get(tensor, torch.zeros_like(before[tensor], dtype=torch.bool))
        assert torch.equal(after[tensor][~mask], before[tensor][~mask])
        assert torch.equal(seen[0][tensor][~mask], before[tensor][~mask])
        moved += (seen[0][tensor] != before[tensor]).sum()
    k = method.trained(anatomy(model))
    assert 0.9 * k < moved <= k  # the second phase starts from the difference that was found
    assert any(not torch.equal(after[name], seen[0][name]) for name in after)


def test_a_search_without_structure_trains_too():
    model, method = models.build("bert"), DiffPruning(**SMALL, structured=False)
    train(method, model, Loop(lambda seed: batches("bert"), steps=2, progress=False))
    kept = sum(mask.sum() for mask in method._masks.values())
    assert kept == method.trained(anatomy(model))


def test_count_on_bert_large():
    parts = anatomy(model_on_meta(BERT_LARGE))
    assert numel(parts.base_parameters()) == 335_141_888
    assert DiffPruning().trained(parts) == 1_675_709
    assert DiffPruning().stored(parts) == 2 * 1_675_709


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"density": 1e-9}, "leaves no weight"),
        ({"density": 1.1}, "at most 1"),
        ({"lower": 0.1}, "below 0"),
        ({"upper": 1.0}, "reach beyond"),
    ],
)
def test_settings_that_cannot_work_are_refused(arguments, message):
    model = models.build("bert")
    with pytest.raises(ValueError, match=message):
        DiffPruning(**arguments).setup(model)
    assert all(p.requires_grad for p in model.parameters())
