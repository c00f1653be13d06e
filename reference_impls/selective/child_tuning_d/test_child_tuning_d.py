"""Child-Tuning-D: how the child network is found, and that nothing else moves."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig

from reference_impls import architectures
from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.core.method import trainable
from reference_impls.selective.child_tuning_d import child_tuning_d
from reference_impls.selective.child_tuning_d.child_tuning_d import ChildTuningD
from reference_impls.selective.fish_mask.fish_mask import FishMask
from reference_impls.shared.masks import fisher_information
from tests.methods import models
from tests.methods.settings import batches

SMALL = {"density": 0.3, "samples": 6}


def base(model) -> dict[str, torch.Tensor]:
    head = {id(p) for p in anatomy(model).head_parameters()}
    return {n: p.detach().clone() for n, p in model.named_parameters() if id(p) not in head}


def adapted(name: str, **arguments):
    model = models.build(name)
    method = ChildTuningD(**SMALL | {"lr": 1e-2} | arguments)
    method.setup(model, batches(name))
    return method, model


def flat_mask(method, model) -> torch.Tensor:
    """Which entries of the base are in the mask."""
    empty = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in base(model).items()}
    return torch.cat([mask.flatten() for mask in (empty | method._masks).values()])


def squares(model, rows: list[dict]) -> torch.Tensor:
    """The mean of the squared gradients of batches, one entry after another."""
    names = list(base(model))
    total = 0
    for row in rows:
        model.zero_grad()
        model(**row).loss.backward()
        gradients = [model.get_parameter(name).grad for name in names]
        total = total + torch.cat([g.flatten() for g in gradients]) ** 2
    return total / len(rows)


def single_rows(name: str) -> list[dict]:
    batch = models.batch(name, rows=6)
    return [{key: value[i : i + 1] for key, value in batch.items()} for i in range(6)]


def test_fisher_information_is_that_of_single_examples():
    model, twin = (models.build("bert").double() for _ in range(2))
    rows = single_rows("bert")
    fisher = fisher_information(ChildTuningD(**SMALL), model, iter(rows), 6)
    torch.testing.assert_close(fisher.double(), squares(twin, rows), atol=1e-7, rtol=1e-5)
    whole = squares(twin, [models.batch("bert", rows=6)])  # what the official code ranks
    k = len(fisher) * 3 // 10
    overlap = torch.isin(fisher.topk(k).indices, whole.topk(k).indices).float().mean()
    assert overlap < 0.95


def test_what_a_model_keeps_while_dropout_is_off_is_computed_for_each_example():
    model = architectures.build("levit")  # it keeps the biases of its attention
    rows = [architectures.batch("levit", rows=1, seed=seed) for seed in range(3)]
    with torch.no_grad():
        model(**rows[0])
    method = ChildTuningD(**SMALL)
    sizes = {name: p.numel() for name, p in method.candidates(anatomy(model)).items()}
    fisher = fisher_information(method, model, iter(rows), 3).split(list(sizes.values()))
    biases = [part for name, part in zip(sizes, fisher) if "0.module.attention_biases" in name]
    assert [bool(part.any()) for part in biases] == [True, True, False]  # at last of one token


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "t5"])
def test_the_child_network_is_the_fish_mask_of_that_density(name):
    method, _ = adapted(name)
    twin = models.build(name)
    fish = FishMask(**SMALL)
    fish.setup(twin, batches(name))
    assert method._masks.keys() == fish._masks.keys()
    assert all(torch.equal(mask, fish._masks[name]) for name, mask in method._masks.items())


def test_it_is_the_top_of_one_ranking_and_exactly_k_of_it():
    method, model = adapted("bert")
    fisher = fisher_information(method, models.build("bert"), batches("bert"), 6)
    mask = flat_mask(method, model)
    assert mask.sum() == int(0.3 * len(fisher)) == method.trained(anatomy(model))
    assert fisher[mask].min() >= fisher[~mask].max()


def test_ties_do_not_add_to_k(monkeypatch):
    monkeypatch.setattr(
        child_tuning_d,
        "fisher_information",
        lambda method, model, *rest: torch.ones(
            sum(p.numel() for p in method.candidates(anatomy(model)).values())
        ),
    )
    method, model = adapted("bert")
    assert flat_mask(method, model).sum() == method.trained(anatomy(model))


def test_the_gradient_is_masked_and_not_rescaled():
    method, model = adapted("bert")
    model(**models.batch("bert")).loss.backward()
    names = list(method._masks)
    before = {name: model.get_parameter(name).grad.clone() for name in names}
    method.on_grad(model, 0)
    for name in names:
        expected = torch.where(method._masks[name], before[name], 0)
        assert torch.equal(model.get_parameter(name).grad, expected)


@pytest.mark.parametrize("name", ["bert", "llama-lm"])
def test_the_rest_stays_to_the_bit_over_many_steps(name):
    method, model = adapted(name)
    before, mask = base(model), flat_mask(method, model)
    optimizer = method.optimizer(trainable(model))
    source = batches(name)
    for step in range(5):
        method.step(model, next(source), optimizer, step)
    after = base(model)
    changed = torch.cat([(after[name] != value).flatten() for name, value in before.items()])
    assert torch.equal(changed, mask)


def test_weight_decay_would_move_what_the_mask_holds():
    """Why it is off: a gradient of zero is no freeze."""

    class Decaying(ChildTuningD):
        def optimizer(self, parameters):
            return torch.optim.AdamW(parameters, lr=self.lr, weight_decay=0.01)

    model = models.build("bert")
    method = Decaying(**SMALL, lr=1e-2)
    method.setup(model, batches("bert"))
    before, mask = base(model), flat_mask(method, model)
    method.step(model, models.batch("bert"), method.optimizer(trainable(model)), 0)
    after = base(model)
    changed = torch.cat([(after[name] != value).flatten() for name, value in before.items()])
    assert (changed & ~mask).any()


def test_rate_and_warm_up_are_those_of_the_official_script():
    method = ChildTuningD()
    assert (method.lr, method.density) == (4e-5, 0.3)
    assert [method.schedule(x) for x in (0, 0.05, 0.1, 0.55)] == pytest.approx([0, 0.5, 1, 0.5])


def test_count_on_bert_base():
    parts = anatomy(model_on_meta(BertConfig()))
    assert ChildTuningD().trained(parts) == 32_844_672
    assert ChildTuningD().stored(parts) == 2 * 32_844_672


@pytest.mark.parametrize(("density", "message"), [(1e-9, "leaves no weight"), (1.5, "at most 1")])
def test_a_density_that_is_none_is_refused(density, message):
    model = models.build("bert")
    with pytest.raises(ValueError, match=message):
        ChildTuningD(density=density).setup(model, batches("bert"))
    assert all(p.requires_grad for p in model.parameters())
