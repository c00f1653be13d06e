"""LOMO: it is SGD to the bit, with one gradient at a time."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from transformers import BertConfig, LlamaConfig

from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.core.method import trainable
from reference_impls.core.training import Loop, train
from reference_impls.full_fine_tuning.lomo import lomo
from reference_impls.full_fine_tuning.lomo.lomo import LOMO
from tests.methods import models
from tests.methods.ledgers import ARCHITECTURES, beside_full, kept
from tests.methods.settings import batches

GIB = 2**30


def adapted(name: str, dtype=torch.float32, **arguments):
    """A method, its model and its optimizer; and a twin of the model for plain SGD."""
    model = models.build(name).to(dtype)
    twin = copy.deepcopy(model)
    method = LOMO(**{"lr": 0.1, **arguments})
    method.setup(model)
    return method, model, method.optimizer(trainable(model)), twin


def sgd_step(model, batch, lr: float, clip: float = 0.0) -> None:
    """What LOMO must equal: all gradients first, then one update."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    optimizer.zero_grad()
    model(**batch).loss.backward()
    if clip:
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()


def difference(model, twin) -> float:
    pairs = zip(model.parameters(), twin.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


@pytest.mark.parametrize("name", models.MODELS)
def test_without_clipping_it_is_sgd_to_the_bit(name):
    method, model, optimizer, twin = adapted(name, clip=0.0)
    source = batches(name)
    for step in range(4):
        batch = next(source)
        before = model(**batch).loss.item()
        assert method.step(model, batch, optimizer, step) == before
        sgd_step(twin, batch, 0.1)
        assert difference(model, twin) == 0.0


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "t5-lm"])
@pytest.mark.parametrize("clip", [0.1, 1e3])
def test_clipping_is_by_the_norm_of_the_whole_gradient(name, clip):
    method, model, optimizer, twin = adapted(name, torch.float64, clip=clip)
    start = copy.deepcopy(model)
    source = batches(name)
    for step in range(3):
        batch = next(source)
        method.step(model, batch, optimizer, step)
        sgd_step(twin, batch, 0.1, clip)
    assert difference(model, twin) < 1e-12
    assert difference(model, start) > 5e-4


def test_both_passes_see_the_same_dropout_masks():
    method, model, optimizer, twin = adapted("bert", torch.float64, clip=0.1)
    for network in (model, twin):
        network.train()
        for module in network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.5
    batch = models.batch("bert")
    torch.manual_seed(3)
    method.step(model, batch, optimizer, 0)
    torch.manual_seed(3)
    sgd_step(twin, batch, 0.1, 0.1)
    assert difference(model, twin) < 1e-12


@pytest.mark.parametrize("name", ["bert", "llama", "gpt2-lm", "t5-lm"])
def test_no_two_gradients_live_at_once_and_each_tensor_moves_once(name, monkeypatch):
    method, model, optimizer, _ = adapted(name)
    seen: dict[str, list[int]] = {"gather": [], "descend": []}

    def spy(hook: str):
        original = getattr(lomo, hook)

        def watch(parameter, **arguments):
            assert sum(p.grad is not None for p in model.parameters()) == 1
            original(parameter, **arguments)
            assert parameter.grad is None
            seen[hook].append(id(parameter))

        return watch

    for hook in seen:
        monkeypatch.setattr(lomo, hook, spy(hook))
    for parameter in model.parameters():  # what an evaluation with gradients may have left
        parameter.grad = torch.ones_like(parameter)
    method.step(model, models.batch(name), optimizer, 0)
    for order in seen.values():
        assert sorted(order) == sorted(id(p) for p in model.parameters())
    assert all(p.grad is None for p in model.parameters())


def test_outside_of_a_step_gradients_stay_and_nothing_moves():
    method, model, optimizer, _ = adapted("bert")
    method.step(model, models.batch("bert"), optimizer, 0)
    before = copy.deepcopy(model)
    model(**models.batch("bert")).loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert difference(model, before) == 0.0


def test_it_runs_under_checkpointing_in_both_passes():
    method, model, optimizer, twin = adapted("llama-lm", clip=0.1)
    model.train().activation_checkpointing_enable()
    method.step(model, models.batch("llama-lm"), optimizer, 0)
    sgd_step(twin, models.batch("llama-lm"), 0.1, 0.1)
    assert difference(model, twin) < 1e-6


def test_bfloat16_weights_are_updated_in_float32_and_then_rounded():
    method, model, optimizer, twin = adapted("bert", torch.bfloat16, clip=0.1)
    batch = models.batch("bert")
    twin(**batch).loss.backward()
    gradients = [p.grad.float() for p in twin.parameters()]
    norm = torch.stack([g.norm() for g in gradients]).norm()
    method.step(model, batch, optimizer, 0)
    for new, old, gradient in zip(model.parameters(), twin.parameters(), gradients, strict=True):
        wide = old.float() - 0.1 * (0.1 / (norm + 1e-6)) * gradient
        # all are equal; rounding the scaled gradient first would change 3 % of a tensor
        assert (new != wide.bfloat16()).float().mean() < 0.01


@pytest.mark.parametrize("rate", [0.0, 0.03])
def test_the_rate_is_that_of_the_optimizers_group(rate):
    method, model, optimizer, twin = adapted("bert", clip=0.0)
    optimizer.param_groups[0]["lr"] = rate
    method.step(model, models.batch("bert"), optimizer, 0)
    sgd_step(twin, models.batch("bert"), rate)
    assert difference(model, twin) == 0.0


def test_the_rate_follows_the_schedule():
    method = LOMO(lr=0.1)
    rates = []

    class Watched(LOMO):
        def step(self, model, batch, optimizer, step):
            rates.append(optimizer.param_groups[0]["lr"])
            return super().step(model, batch, optimizer, step)

    model = models.build("bert")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch's, on a schedule without steps of its optimizer
        train(Watched(lr=0.1), model, Loop(lambda seed: batches("bert"), 20, progress=False))
    assert rates == pytest.approx([0.1 * method.schedule(step / 20) for step in range(20)])
    assert rates[0] == 0.0
    assert max(rates) == rates[2] == 0.1


def test_memory_of_the_papers_table_1():
    """LLaMA-7B in GiB: 16-bit weights and gradients, 32-bit copies and moments."""
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=4096,
        intermediate_size=11008,
        num_hidden_layers=32,
        num_attention_heads=32,
        tie_word_embeddings=False,
    )
    model = model_on_meta(config)
    size = LOMO().trained(anatomy(model))
    assert size == 6_738_415_616
    assert round(2 * size / GIB, 2) == 12.55  # weights; and the gradients of SGD and Adam
    assert round(4 * size / GIB, 2) == 25.10  # SGD's copy of the weights
    assert round(12 * size / GIB, 2) == 75.31  # Adam's
    largest = max(p.numel() for p in model.parameters())
    assert round(2 * largest / GIB, 2) == 0.24  # LOMO's gradients


def test_its_ledger_holds_one_gradient_and_no_state():
    for own, full in beside_full("lomo"):
        assert (own.optimizer, own.activations) == (0, full.activations)
    largest = max(p.numel() for p in model_on_meta(BertConfig()).parameters())
    assert kept(ARCHITECTURES["bert-base"]["lomo"]).gradients == 4 * largest
